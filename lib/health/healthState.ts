import type { CheckResult } from "./checkDefinition.ts";
import type { CheckPolicy } from "./checkPolicy.ts";

/** "created": never up so far, whatever was seen. */
export type HealthStatus = "created" | "up" | "warning" | "down";

/** What is known of one check. Times are of the caller's monotonic clock, ms. */
export interface HealthState {
  readonly status: HealthStatus;
  readonly startedAt: number;
  /** Results in a row: not failed; passed; failed; failed or warned. */
  readonly good: number;
  readonly passes: number;
  readonly fails: number;
  readonly bad: number;
  /** Since when nothing has failed. */
  readonly goodSince: number;
  /** When it went down, the last `flapLimit` times. */
  readonly downs: readonly number[];
  /** It went down too often: it has to be good for a while to come back. */
  readonly flapping: boolean;
  /** What the last look said. */
  readonly output: string;
}

export function createdHealth(now: number): HealthState {
  return {
    status: "created",
    startedAt: now,
    good: 0,
    passes: 0,
    fails: 0,
    bad: 0,
    goodSince: now,
    downs: [],
    flapping: false,
    output: "",
  };
}

/**
 * The state after one more result. Up at the first success; down, warning and up again by the policy's thresholds; one that was
 * never up stays "created".
 *
 * @example
 * stepHealth(createdHealth(0), { outcome: "pass", output: "" }, 5, policyOf({ type: "tcp" })).status; // "up"
 */
export function stepHealth(before: HealthState, result: CheckResult, now: number, policy: CheckPolicy): HealthState {
  const { outcome, output } = result;
  const failed = outcome === "fail";
  const passed = outcome === "pass";
  const seen: HealthState = {
    ...before,
    output,
    good: failed ? 0 : before.good + 1,
    passes: passed ? before.passes + 1 : 0,
    fails: failed ? before.fails + 1 : 0,
    bad: passed ? 0 : before.bad + 1,
    goodSince: !failed && before.good === 0 ? now : before.goodSince,
  };
  const status = nextStatus(seen, passed, now, policy);
  if (status === before.status) return seen;
  if (status !== "down") return { ...seen, status, flapping: false };
  const { flapLimit, flapWindowMs } = policy;
  const downs = flapLimit > 0 ? [...before.downs, now].slice(-flapLimit) : [];
  const flapping = flapLimit > 0 && downs.length === flapLimit && now - (downs[0] ?? now) <= flapWindowMs;
  return { ...seen, status, downs, flapping };
}

function nextStatus(seen: HealthState, passed: boolean, now: number, policy: CheckPolicy): HealthStatus {
  const { status, good, passes, fails, bad } = seen;
  const { failuresBeforeDown, failuresBeforeWarning, successesBeforeUp, holdDownMs } = policy;
  if (status === "created") return good === 0 ? status : passed ? "up" : "warning";
  if (status === "down") {
    if (good < successesBeforeUp || (seen.flapping && now - seen.goodSince < holdDownMs)) return status;
    return passed ? "up" : "warning";
  }
  if (fails >= failuresBeforeDown) return "down";
  if (bad >= failuresBeforeWarning) return "warning";
  return status === "warning" && passes >= successesBeforeUp ? "up" : status;
}

/** The pause before the next look; `random` is in [0, 1). */
export function pauseAfter(state: HealthState, now: number, policy: CheckPolicy, random: number): number {
  const starting = state.status === "created" && now - state.startedAt < policy.startPeriodMs;
  const pause = starting ? policy.startIntervalMs : policy.intervalMs;
  return pause * (1 + policy.jitter * (2 * random - 1));
}

/** Why it is as it is, in one line: "http: expected status 200, got 503"; "" when there is nothing to tell. */
export function reasonOf(name: string, { status, flapping, output }: HealthState): string {
  if (status === "up") return "";
  const line = output.trim().split("\n", 1)[0]?.slice(0, 200) ?? "";
  if (status === "created") return `${name}: not passed yet${line === "" ? "" : `: ${line}`}`;
  return `${name}: ${flapping ? "flapping: " : ""}${line === "" ? status : line}`;
}
