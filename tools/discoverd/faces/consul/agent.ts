import type { Discovery, Instance, InstanceState } from "../../../../lib/discovery/discovery.ts";
import { createProbe, type Monitor, startMonitor } from "../../../../lib/health/index.ts";
import type { CheckSpec, ConsulStatus } from "./checkSpec.ts";
import { ConsulRefusal } from "./refusal.ts";
import { type AgentNode, fieldsOf, type Registration, withFields } from "./registration.ts";
import { rank } from "./views.ts";

export interface AgentOptions {
  discovery: Discovery;
  node: AgentNode;
  log?: { error(message: string, fields?: Record<string, unknown>): void } | undefined;
}

interface RunningCheck {
  spec: CheckSpec;
  status: ConsulStatus;
  output: string;
  monitor: Monitor;
  reaper: ReturnType<typeof setTimeout> | undefined;
}

interface AgentService extends Registration {
  checks: Map<string, RunningCheck>;
}

const stateOf: Record<ConsulStatus, InstanceState> = { passing: "up", warning: "warning", critical: "down" };

/**
 * The services that were registered with this daemon as if it were a Consul agent: it holds them (they need no heartbeat), runs
 * their checks, and tells discovery the worst of them. What it needs to go on after a restart is in the instances themselves.
 */
export class ConsulAgent {
  readonly node: AgentNode;
  /** Grows with everything that a check says. */
  version = 0;
  readonly #discovery: Discovery;
  readonly #log: AgentOptions["log"];
  readonly #services = new Map<string, AgentService>();
  /** Changes of one service come after each other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #closed = false;

  constructor({ discovery, node, log }: AgentOptions) {
    this.#discovery = discovery;
    this.node = node;
    this.#log = log;
  }

  /** The instances that are registered here, as discovery shows them. */
  async services(): Promise<{ service: string; instance: Instance }[]> {
    const found: { service: string; instance: Instance }[] = [];
    for (const { service, instance, fields } of [...this.#services.values()]) {
      const shown = (await this.#discovery.instances(service))?.find(({ id }) => id === instance.id);
      // Removed by discoverd's own API, or its place was taken by another registration.
      if (!shown || fieldsOf(shown)?.id !== fields.id) continue;
      found.push({ service, instance: shown });
    }
    return found;
  }

  report(serviceId: string, checkId: string): { status: ConsulStatus; output: string } | undefined {
    const check = this.#services.get(serviceId)?.checks.get(checkId);
    return check && { status: check.status, output: check.output };
  }

  /** Registers, or replaces what has the same ID. `keepChecks`: those that were added to it later stay. */
  async register(registration: Registration, keepChecks: boolean): Promise<void> {
    await this.#inTurn(registration.fields.id, async () => {
      const before = this.#services.get(registration.fields.id);
      let next = registration;
      if (before && keepChecks) {
        const ours = new Set(registration.fields.checks?.map(({ id }) => id));
        const kept = [...before.checks.values()].map(({ spec }) => spec).filter(({ id }) => !ours.has(id));
        if (kept.length > 0) next = withChecks(registration, [...(registration.fields.checks ?? []), ...kept]);
      }
      await this.#put(next);
      if (before && (before.service !== next.service || before.instance.id !== next.instance.id))
        await this.#take(before);
      this.#start(next, before);
      await this.#tell(next.fields.id);
    });
  }

  /** @throws {ConsulRefusal} 404 */
  async deregister(id: string): Promise<void> {
    await this.#inTurn(id, async () => {
      const service = this.#services.get(id);
      if (!service) {
        throw new ConsulRefusal(
          404,
          `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
        );
      }
      await this.#take(service);
      this.#stop(service);
      this.#services.delete(id);
      this.version++;
    });
  }

  /** @throws {ConsulRefusal} 404 */
  async addCheck(serviceId: string, spec: CheckSpec): Promise<void> {
    await this.#inTurn(serviceId, async () => {
      const service = this.#services.get(serviceId);
      if (!service) throw new ConsulRefusal(404, `ServiceID ${JSON.stringify(serviceId)} does not exist`);
      const others = (service.fields.checks ?? []).filter(({ id }) => id !== spec.id);
      await this.#rechecked(service, [...others, spec]);
    });
  }

  /** @throws {ConsulRefusal} 404 */
  async removeCheck(checkId: string): Promise<void> {
    const { service } = this.#checkNamed(checkId);
    await this.#inTurn(service.fields.id, async () => {
      const now = this.#services.get(service.fields.id);
      if (now)
        await this.#rechecked(
          now,
          (now.fields.checks ?? []).filter(({ id }) => id !== checkId),
        );
    });
  }

  /** What the holder of a TTL check says. @throws {ConsulRefusal} 404 no such check, 500 no TTL check */
  async reportTtl(checkId: string, status: ConsulStatus, output: string): Promise<void> {
    const { service, check } = this.#checkNamed(checkId);
    if (check.spec.definition.type !== "ttl") {
      throw new ConsulRefusal(500, `CheckID ${JSON.stringify(checkId)} does not have associated TTL`);
    }
    const outcome = status === "passing" ? "pass" : status === "warning" ? "warn" : "fail";
    check.monitor.report({ outcome, output });
    await this.#inTurn(service.fields.id, () => this.#tell(service.fields.id));
  }

  /** @throws {ConsulRefusal} 404 */
  async maintenance(id: string, isOn: boolean, reason: string): Promise<void> {
    const service = this.#services.get(id);
    if (!service)
      throw new ConsulRefusal(
        404,
        `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
      );
    await this.#discovery.setState(service.service, service.instance.id, {
      state: isOn ? "maintenance" : "up",
      ...(reason === "" ? {} : { reason: reason.slice(0, 256) }),
      by: "operator",
    });
    this.version++;
  }

  /** Takes up what an earlier run under this node's name had: at the start, before leases run out. */
  async adopt(): Promise<number> {
    let adopted = 0;
    for (const { name: service } of await this.#discovery.services()) {
      for (const instance of (await this.#discovery.instances(service)) ?? []) {
        const fields = fieldsOf(instance);
        if (fields?.node !== this.node.name || this.#services.has(fields.id)) continue;
        const { index: _index, state: _state, reason: _reason, ...asRegistered } = instance;
        try {
          await this.register({ fields, service, instance: asRegistered }, false);
          adopted++;
        } catch (error) {
          this.#log?.error("Consul: a registration of before could not be taken up", {
            id: fields.id,
            reason: String(error),
          });
        }
      }
    }
    return adopted;
  }

  close(): void {
    this.#closed = true;
    for (const service of this.#services.values()) this.#stop(service);
  }

  async #put({ service, instance }: Registration): Promise<void> {
    if ((await this.#discovery.instances(service)) === undefined) {
      await this.#discovery.addService(service).catch((error: unknown) => {
        if (codeOf(error) !== "object_exists") throw error;
      });
    }
    await this.#discovery.register(service, instance, { held: true });
  }

  async #take({ service, instance, fields }: Registration): Promise<void> {
    const shown = (await this.#discovery.instances(service))?.find(({ id }) => id === instance.id);
    if (shown && fieldsOf(shown)?.id !== fields.id) return; // another has that address now
    await this.#discovery.deregister(service, instance.id).catch((error: unknown) => {
      if (codeOf(error) !== "object_not_found") throw error;
    });
  }

  async #rechecked(service: AgentService, checks: CheckSpec[]): Promise<void> {
    const next = withChecks(service, checks);
    await this.#put(next);
    this.#start(next, service);
    await this.#tell(next.fields.id);
  }

  /** A check that is the same as before goes on. */
  #start(registration: Registration, before: AgentService | undefined): void {
    const { fields, instance } = registration;
    const checks = new Map<string, RunningCheck>();
    const service: AgentService = { ...registration, checks };
    this.#services.set(fields.id, service);
    for (const spec of fields.checks ?? []) {
      const running = before?.checks.get(spec.id);
      if (running && JSON.stringify(running.spec) === JSON.stringify(spec)) {
        checks.set(spec.id, running);
        before?.checks.delete(spec.id);
      } else checks.set(spec.id, this.#run(fields.id, spec, instance.addr));
    }
    if (before) this.#stop(before);
    this.version++;
  }

  #run(serviceId: string, spec: CheckSpec, addr: string): RunningCheck {
    const { definition, initial = "critical" } = spec;
    const check: RunningCheck = {
      spec,
      status: initial,
      output: "",
      reaper: undefined,
      monitor: startMonitor(definition, {
        probe: createProbe(definition, { addr }),
        onResult: ({ status, output }) => {
          const isLate = definition.type === "ttl" && output.startsWith("no report for");
          // Never passed: Consul goes on showing the status that it began with, or critical after a failure.
          const now = status === "up" ? "passing" : status === "warning" ? "warning" : "critical";
          this.#said(serviceId, check, now, isLate ? `TTL expired (${output})` : output);
        },
      }),
    };
    this.#armReaper(serviceId, check);
    return check;
  }

  #said(serviceId: string, check: RunningCheck, status: ConsulStatus, output: string): void {
    if (this.#closed || (check.status === status && check.output === output)) return;
    const changed = check.status !== status;
    check.status = status;
    check.output = output;
    this.version++;
    if (!changed) return;
    this.#armReaper(serviceId, check);
    void this.#inTurn(serviceId, () => this.#tell(serviceId)).catch((error: unknown) => {
      this.#log?.error("Consul: a check's result could not be told", { id: serviceId, reason: String(error) });
    });
  }

  #armReaper(serviceId: string, check: RunningCheck): void {
    clearTimeout(check.reaper);
    const { reapAfterMs } = check.spec;
    if (check.status !== "critical" || reapAfterMs === undefined) return;
    check.reaper = setTimeout(
      () => {
        this.#log?.error("Consul: deregistered, it was critical for too long", { id: serviceId, check: check.spec.id });
        this.deregister(serviceId).catch((error: unknown) => {
          this.#log?.error("Consul: could not be deregistered", { id: serviceId, reason: String(error) });
        });
      },
      Math.min(reapAfterMs, 2_147_483_647),
    );
  }

  /** Discovery is told the worst of the checks. */
  async #tell(id: string): Promise<void> {
    const service = this.#services.get(id);
    if (!service || this.#closed) return;
    let worst: RunningCheck | undefined;
    for (const check of service.checks.values()) if (!worst || rank[check.status] > rank[worst.status]) worst = check;
    const status = worst?.status ?? "passing";
    const line = worst && status !== "passing" ? `${worst.spec.id}: ${worst.output.split("\n", 1)[0] || status}` : "";
    try {
      await this.#discovery.setState(service.service, service.instance.id, {
        state: stateOf[status],
        by: "check",
        ...(line === "" ? {} : { reason: line.replace(/\p{Cc}/gu, " ").slice(0, 256) }),
      });
    } catch (error) {
      // Taken out by discoverd's own API: what is not there has no state.
      if (codeOf(error) !== "object_not_found") throw error;
    }
  }

  #checkNamed(checkId: string): { service: AgentService; check: RunningCheck } {
    for (const service of this.#services.values()) {
      const check = service.checks.get(checkId);
      if (check) return { service, check };
    }
    throw new ConsulRefusal(
      404,
      `Unknown check ID ${JSON.stringify(checkId)}. Ensure that the check ID is passed, not the check name.`,
    );
  }

  #stop({ checks }: AgentService): void {
    for (const { monitor, reaper } of checks.values()) {
      monitor.stop();
      clearTimeout(reaper);
    }
  }

  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(work, work);
    const settled = turn.then(
      () => undefined,
      () => undefined, // the caller has the error
    );
    this.#turns.set(id, settled);
    void settled.then(() => {
      if (this.#turns.get(id) === settled) this.#turns.delete(id);
    });
    return turn;
  }
}

function withChecks(registration: Registration, checks: CheckSpec[]): Registration {
  const { checks: _before, ...rest } = registration.fields;
  const fields = checks.length > 0 ? { ...rest, checks } : rest;
  const meta = withFields(registration.instance.meta ?? {}, fields);
  return { service: registration.service, fields, instance: { ...registration.instance, meta } };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
