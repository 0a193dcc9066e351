import { expect, test } from "bun:test";
import type { CheckResult } from "../../../lib/health/checkDefinition.ts";
import type { HealthState } from "../../../lib/health/healthState.ts";
import { Slots } from "../../../lib/health/slots.ts";
import { startMonitor } from "../../../lib/health/startMonitor.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const quick = { type: "tcp", interval_ms: 10, start_interval_ms: 10, timeout_ms: 50 } as const;

test("it looks, tells, and stops", async () => {
  let result: CheckResult = { outcome: "fail", output: "no" };
  const seen: string[] = [];
  const onResult = (state: HealthState, before: HealthState) => {
    if (state.status !== before.status) seen.push(`${state.status} ${state.output}`);
  };
  const monitor = startMonitor(quick, { probe: async () => result, onResult });
  await waitFor(() => monitor.state.fails >= 3, { what: "three failures" });
  result = { outcome: "pass", output: "yes" };
  await waitFor(() => monitor.state.status === "up", { what: "up" });
  result = { outcome: "fail", output: "no more" };
  await waitFor(() => monitor.state.status === "down", { what: "down" });
  expect(seen).toEqual(["up yes", "down no more"]);
  monitor.stop();
  const { fails } = monitor.state;
  await Bun.sleep(50);
  expect(monitor.state.fails).toBe(fails);
});

test("a look that hangs or throws is a failure with its reason", async () => {
  const hanging = startMonitor(quick, { probe: () => new Promise(() => {}), onResult() {} });
  const probe = async () => {
    throw Object.assign(new Error("nobody there"), { code: "ECONNREFUSED" });
  };
  const throwing = startMonitor(quick, { probe, onResult() {} });
  await waitFor(() => hanging.state.fails > 0 && throwing.state.fails > 0, { what: "both to fail" });
  expect(hanging.state.output).toBe("no answer within 50 ms");
  expect(throwing.state.output).toBe("ECONNREFUSED: nobody there");
  hanging.stop();
  throwing.stop();
});

test("no more look at once than there are slots, and all get their turn", async () => {
  const slots = new Slots(3);
  let now = 0;
  let most = 0;
  const probe = async (): Promise<CheckResult> => {
    most = Math.max(most, ++now);
    await Bun.sleep(2);
    now--;
    return { outcome: "pass", output: "" };
  };
  const monitors = Array.from({ length: 50 }, () => startMonitor(quick, { probe, onResult() {}, slots }));
  await waitFor(() => monitors.every(({ state }) => state.passes >= 2), { what: "two looks of each" });
  for (const monitor of monitors) monitor.stop();
  expect(most).toBe(3);
});

test("ttl: up by a report, down without one, up by the next", async () => {
  const seen: string[] = [];
  const monitor = startMonitor(
    { type: "ttl", ttl_ms: 40 },
    { probe: undefined, onResult: (state, { status }) => state.status !== status && seen.push(state.status) },
  );
  await waitFor(() => monitor.state.fails > 0, { what: "the first silence" });
  expect(monitor.state.status).toBe("created");
  monitor.report({ outcome: "pass", output: "hello" });
  expect(monitor.state.status).toBe("up");
  await waitFor(() => monitor.state.status === "down", { what: "down" });
  expect(monitor.state.output).toBe("no report for 40 ms");
  monitor.report({ outcome: "warn", output: "so so" });
  expect(monitor.state.status).toBe("warning");
  monitor.stop();
  monitor.report({ outcome: "pass", output: "too late" });
  expect(seen).toEqual(["up", "down", "warning"]);
});
