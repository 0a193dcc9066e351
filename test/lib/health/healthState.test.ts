import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { CheckResult } from "../../../lib/health/checkDefinition.ts";
import { type CheckPolicy, policyOf } from "../../../lib/health/checkPolicy.ts";
import { createdHealth, type HealthState, pauseAfter, reasonOf, stepHealth } from "../../../lib/health/healthState.ts";
import { worstOf } from "../../../lib/health/worstOf.ts";

const defaults = policyOf({ type: "tcp" });
const letters = { p: "pass", w: "warn", f: "fail" } as const;

/** The statuses after each of "ppff", one result a second. */
function statuses(results: string, policy: CheckPolicy = defaults, stepMs = 1000): string {
  let state = createdHealth(0);
  return [...results]
    .map((letter, i) => {
      state = stepHealth(state, { outcome: letters[letter as "p"], output: letter }, (i + 1) * stepMs, policy);
      return state.status[0];
    })
    .join("");
}

describe("thresholds", () => {
  test.each([
    ["p", "u", {}],
    ["ffffff", "cccccc", {}],
    ["fffp", "cccu", {}],
    ["pfpfpf", "uuuuuu", {}],
    ["pff", "uud", {}],
    ["pffpp", "uuddu", {}],
    ["pffpfpp", "uuddddu", {}],
    ["pfff", "uuud", { failures_before_down: 3 }],
    ["pfffpp", "uwwdd" + "u", { failures_before_down: 3, failures_before_warning: 1 }],
    ["pfp", "uwu", { failures_before_warning: 1, successes_before_up: 1 }],
    ["pfpp", "uwwu", { failures_before_warning: 1 }],
    ["w", "w", {}],
    ["pww", "uuw", {}],
    ["pffww", "uuddw", {}],
    ["pwf", "uuw", {}],
    ["pwff", "uuwd", {}],
    ["pffppp", "uudddu", { successes_before_up: 3 }],
  ])("%s -> %s %p", (results, expected, rest) => {
    expect(statuses(results, policyOf({ type: "tcp", ...rest }))).toBe(expected);
  });

  test("a ttl check needs one of each", () => {
    expect(statuses("pfpf", policyOf({ type: "ttl", ttl_ms: 1000, flap_limit: 0 }))).toBe("udud");
  });
});

test("one that goes down too often comes back only after the hold-down", () => {
  const policy = policyOf({ type: "tcp", flap_limit: 2, flap_window_ms: 20_000, hold_down_ms: 5000 });
  //                    down once    down twice: flapping; good from 9 s on, so up at 14 s
  expect(statuses("pffppff" + "fppppppp", policy)).toBe("uudduud" + "ddddddu" + "u");
  expect(statuses(`pff${"p".repeat(30)}ffpp`, policy)).toEndWith("udd" + "u");
});

const outcomes = fc.constantFrom<CheckResult["outcome"]>("pass", "warn", "fail");
const policies = fc
  .record({
    failures_before_down: fc.integer({ min: 1, max: 5 }),
    failures_before_warning: fc.integer({ min: 1, max: 5 }),
    successes_before_up: fc.integer({ min: 1, max: 5 }),
    flap_limit: fc.integer({ min: 0, max: 4 }),
    flap_window_ms: fc.integer({ min: 1, max: 100 }),
    hold_down_ms: fc.integer({ min: 0, max: 50 }),
  })
  .map((rest) => policyOf({ type: "tcp", ...rest }));
const runs = fc.array(fc.tuple(outcomes, fc.integer({ min: 0, max: 20 })), { maxLength: 200 });

test("whatever is seen: a step has its cause, and a flapping one stays down for its time", () => {
  fc.assert(
    fc.property(policies, runs, (policy, results) => {
      let now = 0;
      let state: HealthState = createdHealth(0);
      const seen: { outcome: CheckResult["outcome"]; at: number }[] = [];
      for (const [outcome, ms] of results) {
        now += ms;
        seen.push({ outcome, at: now });
        const before = state;
        state = stepHealth(before, { outcome, output: "" }, now, policy);
        const lastAre = (count: number, ok: (outcome: string) => boolean) =>
          seen.length >= count && seen.slice(-count).every((each) => ok(each.outcome));
        if (seen.every((each) => each.outcome === "fail")) expect(state.status).toBe("created");
        else expect(state.status).not.toBe("created");
        if (before.status === state.status) {
          if (state.status === "up" || state.status === "warning") {
            expect(lastAre(policy.failuresBeforeDown, (each) => each === "fail")).toBe(false);
          }
          continue;
        }
        if (state.status === "down") expect(lastAre(policy.failuresBeforeDown, (each) => each === "fail")).toBe(true);
        if (state.status === "up") expect(outcome).toBe("pass");
        if (before.status === "down") {
          expect(lastAre(policy.successesBeforeUp, (each) => each !== "fail")).toBe(true);
          if (before.flapping) {
            const failed = seen.findLastIndex((each) => each.outcome === "fail");
            expect(now - (seen[failed + 1]?.at ?? now)).toBeGreaterThanOrEqual(policy.holdDownMs);
          }
        }
        if (state.status === "down" && policy.flapLimit === 1) expect(state.flapping).toBe(true);
        expect(state.downs.length).toBeLessThanOrEqual(policy.flapLimit);
      }
    }),
  );
});

test("the pause: quick until the first success, but for 10 s at most; within its jitter", () => {
  const created = createdHealth(0);
  expect(pauseAfter(created, 0, defaults, 0.5)).toBe(100);
  expect(pauseAfter(created, 10_000, defaults, 0.5)).toBe(2000);
  const up = stepHealth(created, { outcome: "pass", output: "" }, 1, defaults);
  expect(pauseAfter(up, 1, defaults, 0)).toBeCloseTo(1800);
  expect(pauseAfter(up, 1, defaults, 0.999_999)).toBeCloseTo(2200, 1);
});

test("the worst check is the instance's state, and says why", () => {
  const up = stepHealth(createdHealth(0), { outcome: "pass", output: "fine" }, 1, defaults);
  let down = up;
  for (const at of [2, 3]) down = stepHealth(down, { outcome: "fail", output: "ECONNREFUSED\nmore" }, at, defaults);
  expect(worstOf(new Map())).toEqual({ status: "up", reason: "" });
  expect(worstOf(new Map([["a", up]]))).toEqual({ status: "up", reason: "" });
  const both = new Map([["a", up], ["tcp", down]]); // biome-ignore format: one line
  expect(worstOf(both)).toEqual({ status: "down", reason: "tcp: ECONNREFUSED" });
  const fresh = new Map([["a", up], ["http", createdHealth(0)]]); // biome-ignore format: one line
  expect(worstOf(fresh)).toEqual({ status: "down", reason: "http: not passed yet" });
  expect(reasonOf("tcp", { ...down, flapping: true })).toBe("tcp: flapping: ECONNREFUSED");
});
