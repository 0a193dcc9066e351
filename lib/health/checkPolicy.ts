import type { CheckDefinition } from "./checkDefinition.ts";

/** A check's times (ms) and thresholds, all of them set. */
export interface CheckPolicy {
  intervalMs: number;
  startIntervalMs: number;
  /** How long `startIntervalMs` counts when there is no success. */
  startPeriodMs: number;
  jitter: number;
  timeoutMs: number;
  failuresBeforeDown: number;
  failuresBeforeWarning: number;
  successesBeforeUp: number;
  flapLimit: number;
  flapWindowMs: number;
  holdDownMs: number;
}

/**
 * The policy of a definition, with the defaults of Flynn's health monitor: 100 ms until the first success, then 2 s; 2 in a row.
 *
 * @example
 * policyOf({ type: "tcp" }).intervalMs; // 2000
 */
export function policyOf(check: CheckDefinition): CheckPolicy {
  const threshold = check.type === "ttl" ? 1 : 2;
  const failuresBeforeDown = check.failures_before_down ?? threshold;
  const intervalMs = check.interval_ms ?? 2000;
  return {
    intervalMs,
    startIntervalMs: Math.min(check.start_interval_ms ?? 100, intervalMs),
    startPeriodMs: 10_000,
    jitter: check.jitter ?? 0.1,
    timeoutMs: check.timeout_ms ?? 2000,
    failuresBeforeDown,
    failuresBeforeWarning: Math.min(check.failures_before_warning ?? failuresBeforeDown, failuresBeforeDown),
    successesBeforeUp: check.successes_before_up ?? threshold,
    flapLimit: check.flap_limit ?? 3,
    flapWindowMs: check.flap_window_ms ?? 60_000,
    holdDownMs: check.hold_down_ms ?? 30_000,
  };
}
