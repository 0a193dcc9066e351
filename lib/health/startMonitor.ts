import { bounded } from "./boundedOutput.ts";
import type { CheckDefinition, CheckResult } from "./checkDefinition.ts";
import { type CheckPolicy, policyOf } from "./checkPolicy.ts";
import type { Probe } from "./createProbe.ts";
import { createdHealth, type HealthState, pauseAfter, stepHealth } from "./healthState.ts";
import { Slots } from "./slots.ts";

export interface MonitorOptions {
  /** From `createProbe`; none for a ttl check. */
  probe: Probe | undefined;
  /** After every result; `before` is the state that it changed. */
  onResult: (state: HealthState, before: HealthState) => void;
  /** Shared by monitors, so that no more than so many look at once. Default: 32 over the whole process. */
  slots?: Slots;
  /** Goes on from here, so that a restart of the monitor does not tell anything anew. Default: created. */
  from?: HealthState;
  /** Monotonic, ms. Default performance.now. */
  now?: () => number;
  /** Default Math.random. */
  random?: () => number;
}

export interface Monitor {
  readonly state: HealthState;
  /** A result from elsewhere: what a ttl check lives by. */
  report(result: CheckResult): void;
  /** No look and no `onResult` after it. */
  stop(): void;
}

const allSlots = new Slots(32);

/**
 * Looks again and again and tells what it sees. A look that is late or impossible is a failure.
 *
 * @example
 * const check = { type: "tcp", addr: "127.0.0.1:80" } as const;
 * const monitor = startMonitor(check, {
 *   probe: createProbe(check, { addr: "" }),
 *   onResult: (state, before) => state.status !== before.status && console.log(state.status, state.output),
 * });
 */
export function startMonitor(check: CheckDefinition, options: MonitorOptions): Monitor {
  return new RunningMonitor(check, options);
}

class RunningMonitor implements Monitor {
  state: HealthState;
  readonly #check: CheckDefinition;
  readonly #policy: CheckPolicy;
  readonly #options: MonitorOptions;
  readonly #now: () => number;
  readonly #stopped = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(check: CheckDefinition, options: MonitorOptions) {
    this.#check = check;
    this.#policy = policyOf(check);
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.state = options.from ?? createdHealth(this.#now());
    if (check.type === "ttl") this.#awaitReport(check.ttl_ms);
    else this.#after(0, () => void this.#look());
  }

  report(result: CheckResult): void {
    if (this.#stopped.signal.aborted) return;
    this.#step({ outcome: result.outcome, output: bounded(result.output) });
    if (this.#check.type === "ttl") this.#awaitReport(this.#check.ttl_ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopped.abort(new Error("stopped"));
  }

  #after(ms: number, what: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#stopped.signal.aborted) this.#timer = setTimeout(what, ms);
  }

  #awaitReport(ttlMs: number): void {
    this.#after(ttlMs, () => {
      this.#step({ outcome: "fail", output: `no report for ${ttlMs} ms` });
      this.#awaitReport(ttlMs);
    });
  }

  async #look(): Promise<void> {
    const { probe, slots = allSlots, random = Math.random } = this.#options;
    if (!probe) return;
    const result = await slots.run(() => this.#result(probe));
    if (this.#stopped.signal.aborted) return;
    this.#step(result);
    this.#after(pauseAfter(this.state, this.#now(), this.#policy, random()), () => void this.#look());
  }

  /** Never rejects, and never outlasts the time limit: a probe that ignores its signal is left behind. */
  async #result(probe: Probe): Promise<CheckResult> {
    const { timeoutMs } = this.#policy;
    if (this.#stopped.signal.aborted) return { outcome: "fail", output: "stopped" };
    const look = new AbortController();
    const late = new Promise<CheckResult>((resolve) => {
      look.signal.addEventListener("abort", () =>
        resolve({ outcome: "fail", output: `no answer within ${timeoutMs} ms` }),
      );
    });
    const timer = setTimeout(() => look.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const stop = () => look.abort(this.#stopped.signal.reason);
    this.#stopped.signal.addEventListener("abort", stop, { once: true });
    try {
      const seen = probe(look.signal).catch(
        (error: unknown): CheckResult => ({ outcome: "fail", output: textOf(error) }),
      );
      return await Promise.race([seen, late]);
    } finally {
      clearTimeout(timer);
      this.#stopped.signal.removeEventListener("abort", stop);
    }
  }

  #step(result: CheckResult): void {
    const before = this.state;
    this.state = stepHealth(before, result, this.#now(), this.#policy);
    this.#options.onResult(this.state, before);
  }
}

function textOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  const message = error instanceof Error ? error.message : String(error);
  return bounded(
    message === "" ? code || "failed" : code === "" || message.includes(code) ? message : `${code}: ${message}`,
  );
}
