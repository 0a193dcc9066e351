import type { Discovery, Instance } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import type { ExecCalls } from "../../../lib/docker/execCalls.ts";
import type { CheckDefinition, CheckResult } from "../../../lib/health/checkDefinition.ts";
import { policyOf } from "../../../lib/health/checkPolicy.ts";
import { createProbe } from "../../../lib/health/createProbe.ts";
import { createdHealth, type HealthState } from "../../../lib/health/healthState.ts";
import type { Slots } from "../../../lib/health/slots.ts";
import { type Monitor, startMonitor } from "../../../lib/health/startMonitor.ts";
import { worstOf } from "../../../lib/health/worstOf.ts";

export interface CheckedOptions {
  discovery: Discovery;
  log: { warn(message: string, fields?: Record<string, unknown>): void };
  slots: Slots;
  docker: () => Promise<ExecCalls>;
}

/** How one check stands, for the API. */
export interface CheckStatus {
  name: string;
  type: CheckDefinition["type"];
  status: HealthState["status"];
  flapping: boolean;
  output: string;
}

/** Runs one instance's checks, and keeps its state in the registry at what they say. */
export class CheckedInstance {
  readonly #monitors = new Map<string, { check: CheckDefinition; monitor: Monitor }>();
  readonly #service: string;
  readonly #instance: Instance;
  readonly #options: CheckedOptions;
  #wanted: { state: "up" | "warning" | "down"; reason: string } | undefined;
  #applied = "";
  #applying = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** `shown` is the instance as it is listed now: a daemon that takes over begins with what was known. */
  constructor(
    service: string,
    instance: Instance,
    checks: readonly CheckDefinition[],
    shown: Instance | undefined,
    options: CheckedOptions,
  ) {
    this.#service = service;
    this.#instance = instance;
    this.#options = options;
    const { docker, slots } = options;
    const from = beginning(shown);
    for (const check of checks) {
      const probe = createProbe(check, { addr: instance.addr, docker });
      const monitor = startMonitor(check, {
        probe,
        slots,
        from,
        onResult: (state, before) => this.#told(check, state, before),
      });
      this.#monitors.set(check.name ?? check.type, { check, monitor });
    }
  }

  /** False when there is no such check. */
  report(name: string, result: CheckResult): boolean {
    const found = this.#monitors.get(name);
    found?.monitor.report(result);
    return found !== undefined;
  }

  statuses(): CheckStatus[] {
    return [...this.#monitors].map(([name, { check, monitor }]) => {
      const { status, flapping, output } = monitor.state;
      return { name, type: check.type, status, flapping, output };
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    for (const { monitor } of this.#monitors.values()) monitor.stop();
  }

  #told(check: CheckDefinition, state: HealthState, before: HealthState): void {
    // Before its first success one reason is told, with what its failures say; not each of them.
    const isFirstWhy = state.status === "created" && state.fails === policyOf(check).failuresBeforeDown;
    if (state.status === before.status && !isFirstWhy && this.#wanted) return;
    const { status, reason } = worstOf(
      new Map([...this.#monitors].map(([name, { monitor }]) => [name, monitor.state])),
    );
    this.#wanted = { state: status, reason: reason.slice(0, 256) };
    void this.#apply();
  }

  /** Until the registry has the last word of the checks. */
  async #apply(): Promise<void> {
    if (this.#applying) return;
    this.#applying = true;
    const { discovery, log } = this.#options;
    try {
      while (!this.#stopped && this.#wanted && JSON.stringify(this.#wanted) !== this.#applied) {
        const wanted = this.#wanted;
        await discovery.setState(this.#service, this.#instance.id, { ...wanted, by: "check" });
        this.#applied = JSON.stringify(wanted);
      }
    } catch (error) {
      const isGone = error instanceof DiscoveryError && error.code === "object_not_found";
      if (!isGone)
        log.warn("a check's word is not in the registry yet", { service: this.#service, error: String(error) });
      if (!this.#stopped) this.#retry = setTimeout(() => void this.#apply(), 1000);
      this.#retry?.unref();
    } finally {
      this.#applying = false;
    }
  }
}

/** What an instance that was never up has as its reason. */
export const notPassedYet = "not passed yet";

function beginning(shown: Instance | undefined): HealthState {
  const created = createdHealth(performance.now());
  if (!shown) return created;
  const { state = "up", reason = "" } = shown;
  if (state === "down") return reason.includes(notPassedYet) ? created : { ...created, status: "down" };
  return { ...created, status: state === "warning" ? "warning" : "up" };
}
