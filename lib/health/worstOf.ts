import { type HealthState, type HealthStatus, reasonOf } from "./healthState.ts";

const badness: Record<HealthStatus, number> = { up: 0, warning: 1, created: 2, down: 3 };

/**
 * An instance is as well as the worst of its checks; the reason names it. One whose checks have not all passed once is down.
 *
 * @example
 * worstOf(new Map([["http", state]])); // { status: "down", reason: "http: healthcheck: expected HTTP status 200, got 503" }
 */
export function worstOf(checks: ReadonlyMap<string, HealthState>): {
  status: Exclude<HealthStatus, "created">;
  reason: string;
} {
  let worst: [string, HealthState] | undefined;
  for (const each of checks) if (!worst || badness[each[1].status] > badness[worst[1].status]) worst = each;
  if (!worst) return { status: "up", reason: "" };
  const [name, state] = worst;
  return { status: state.status === "created" ? "down" : state.status, reason: reasonOf(name, state) };
}
