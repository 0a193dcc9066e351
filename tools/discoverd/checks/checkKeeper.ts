import type { Instance } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import { instanceValue } from "../../../lib/discovery/engine/claimer.ts";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { configKey, instanceKey } from "../../../lib/discovery/engine/keys.ts";
import { firstStanding } from "../../../lib/discovery/engine/standingAfter.ts";
import { sameRegistration } from "../../../lib/discovery/sameInstance.ts";
import { validateInstance } from "../../../lib/discovery/validateInstance.ts";
import type { CheckDefinition, CheckResult } from "../../../lib/health/checkDefinition.ts";
import { Slots } from "../../../lib/health/slots.ts";
import type { Operation, Store } from "../../../lib/store/store.ts";
import { CheckedInstance, type CheckedOptions, type CheckStatus, notPassedYet } from "./checkedInstance.ts";
import { type CheckRecord, checksKey, checksPrefix, decodeRecord, encodeRecord } from "./checkRecord.ts";

export interface CheckKeeperOptions extends Omit<CheckedOptions, "slots" | "discovery"> {
  store: Store;
  engine: Engine;
  /** Whether commands may be run here, and programs in containers. */
  allowScripts: boolean;
  /** Looks at the same time. Default 64. */
  slots?: Slots;
}

interface Known {
  record: CheckRecord;
  modRev: number;
  /** Since when the instance has been missing (ms), where heartbeats should keep it. */
  goneSince?: number;
}

/** How often everything is looked through: what the watch told, and which daemons live. */
const lookMs = 1000;
/** Checks of an instance whose heartbeats ended are forgotten after so long. */
const forgetMs = 60_000;

/**
 * The checks that registrations asked for: kept in the store, each run by one daemon. When that one dies another takes it over, and
 * goes on with the state that the registry shows. An instance that is registered by its checks alone hangs on no daemon's lease.
 */
export class CheckKeeper {
  readonly #options: CheckKeeperOptions;
  readonly #checked: CheckedOptions;
  readonly #records = new Map<string, Known>();
  readonly #running = new Map<string, { modRev: number; instance: CheckedInstance }>();
  readonly #me: string;
  #wake: () => void = () => undefined;

  constructor(options: CheckKeeperOptions) {
    this.#options = options;
    const { engine, log, docker, slots = new Slots(64) } = options;
    this.#checked = { discovery: engine, log, docker, slots };
    this.#me = engine.status().daemon;
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#follow(signal), this.#look(signal)]);
    for (const { instance } of this.#running.values()) instance.stop();
    this.#running.clear();
  }

  /**
   * Sets an instance's checks. With `instance`, one that is not registered is registered by them: until it is deregistered. Without
   * checks they end, and what they said of it is forgotten.
   * @throws {DiscoveryError} object_not_found, validation_error, service_unavailable
   */
  async set(service: string, id: string, checks: readonly CheckDefinition[], given?: Instance): Promise<void> {
    const { engine, allowScripts, store } = this.#options;
    if (!allowScripts && checks.some(isScript)) {
      throw new DiscoveryError("validation_error", "discoverd: this daemon runs no commands (serve --script-checks)");
    }
    const shown = this.#shown(service, id);
    if (!engine.instances(service))
      throw new DiscoveryError("object_not_found", `discoverd: service "${service}" not found`);
    if (!shown && !given)
      throw new DiscoveryError("object_not_found", `discoverd: instance ${service}/${id} not found`);
    if (given) {
      validateInstance(given);
      if (given.id !== id)
        throw new DiscoveryError("validation_error", `discoverd: the path says ${id}, the instance ${given.id}`);
    }
    const key = checksKey(service, id);
    if (checks.length === 0) {
      await this.#write(() => store.txn({ then: [{ op: "delete", key }] }));
      await engine.setState(service, id, { state: "up", by: "check" });
      return;
    }
    const before = await this.#write(() => store.get(key));
    const stays = shown ? (before && decodeRecord(key, before.value)?.stays) === true : true;
    const instance = bare(given ?? shown ?? { id, addr: "", proto: "" });
    const value = encodeRecord({ service, instance, checks, owner: this.#me, stays });
    const operations: Operation[] = [{ op: "put", key, value }];
    if (stays && (!shown || !sameRegistration(shown, instance))) {
      const name = checks[0]?.name ?? checks[0]?.type;
      const standing = firstStanding(shown ?? { ...instance, state: "down", reason: `${name}: ${notPassedYet}` });
      const put = instanceValue({ instance, ttlAsked: undefined, standing }, "");
      operations.push({ op: "put", key: instanceKey(service, id), value: put });
    }
    const { ok, rev } = await this.#write(() =>
      store.txn({ if: [{ key: configKey(service), exists: true }], then: operations }),
    );
    if (!ok) throw new DiscoveryError("object_not_found", `discoverd: service "${service}" not found`);
    const deadline = AbortSignal.timeout(5000);
    while (engine.status().rev < rev && !deadline.aborted && !this.#shown(service, id)) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** The checks of an instance, and how they stand if they are run here. */
  of(
    service: string,
    id: string,
  ): { owner: string; checks: readonly CheckDefinition[]; results?: CheckStatus[] } | undefined {
    const key = checksKey(service, id);
    const known = this.#records.get(key);
    if (!known) return undefined;
    const { owner, checks } = known.record;
    const running = this.#running.get(key);
    return { owner, checks, ...(running ? { results: running.instance.statuses() } : {}) };
  }

  /**
   * A result from outside, for a ttl check above all. As with heartbeats, the daemon that gets it takes the checks over.
   * @throws {DiscoveryError} object_not_found, service_unavailable
   */
  async report(service: string, id: string, name: string, result: CheckResult): Promise<void> {
    const key = checksKey(service, id);
    const known = this.#records.get(key);
    if (!known?.record.checks.some((check) => (check.name ?? check.type) === name)) {
      throw new DiscoveryError("object_not_found", `discoverd: ${service}/${id} has no check "${name}"`);
    }
    if (known.record.owner !== this.#me) await this.#claim(key, known);
    const until = performance.now() + 5000;
    while (!this.#running.get(key)?.instance.report(name, result)) {
      if (performance.now() > until)
        throw new DiscoveryError("service_unavailable", "discoverd: the check is not run here yet");
      this.#reconcile();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #shown(service: string, id: string): Instance | undefined {
    return this.#options.engine.instances(service)?.find((each) => each.id === id);
  }

  /** The same for many, by one pass over each service: good until the registry changes. */
  #lookup(): (service: string, id: string) => Instance | undefined {
    const services = new Map<string, Map<string, Instance>>();
    return (service, id) => {
      let ids = services.get(service);
      if (!ids) {
        ids = new Map(this.#options.engine.instances(service)?.map((each) => [each.id, each]));
        services.set(service, ids);
      }
      return ids.get(id);
    };
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DiscoveryError("service_unavailable", `discoverd: ${why}`, { cause: error });
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const event of this.#options.store.watch(checksPrefix, undefined, signal)) {
      if (event.type === "reset") {
        this.#records.clear();
        for (const entry of event.snapshot.entries) this.#note(entry.key, entry.value, entry.modRev);
      } else if (event.type === "put") this.#note(event.entry.key, event.entry.value, event.entry.modRev);
      else if (event.type === "delete") this.#records.delete(event.key);
      this.#wake();
    }
  }

  #note(key: string, value: Uint8Array, modRev: number): void {
    const record = decodeRecord(key, value);
    if (record) this.#records.set(key, { record, modRev });
    else this.#records.delete(key);
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookMs);
        this.#wake = () => {
          clearTimeout(timer);
          setTimeout(resolve, 20); // what comes together is looked at together
        };
        signal.addEventListener("abort", this.#wake, { once: true });
      });
      signal.removeEventListener("abort", this.#wake);
      if (!signal.aborted && this.#options.engine.ready) await this.#reconcileAll();
    }
  }

  /** Runs what is ours, lets go of what is not, takes over from the dead, forgets what is gone. */
  async #reconcileAll(): Promise<void> {
    this.#reconcile();
    const { engine, allowScripts, log } = this.#options;
    const lookup = this.#lookup();
    const alive = new Set(engine.daemons().map(({ daemon }) => daemon));
    for (const [key, known] of [...this.#records]) {
      const { record } = known;
      try {
        if (record.owner === this.#me)
          await this.#forgetIfGone(key, known, lookup(record.service, record.instance.id) !== undefined);
        else if (!alive.has(record.owner) && (allowScripts || !record.checks.some(isScript)))
          await this.#claim(key, known);
      } catch (error) {
        log.warn("checks are not taken over yet", { service: record.service, error: String(error) });
        return; // the store is away: all again with the next look
      }
    }
    this.#reconcile();
  }

  #reconcile(): void {
    const lookup = this.#lookup();
    for (const [key, running] of this.#running) {
      const known = this.#records.get(key);
      if (known?.record.owner === this.#me && known.modRev === running.modRev) continue;
      running.instance.stop();
      this.#running.delete(key);
    }
    for (const [key, { record, modRev }] of this.#records) {
      if (record.owner !== this.#me || this.#running.has(key)) continue;
      const { service, instance, checks } = record;
      const checked = new CheckedInstance(service, instance, checks, lookup(service, instance.id), this.#checked);
      this.#running.set(key, { modRev, instance: checked });
    }
  }

  async #claim(key: string, { record, modRev }: Known): Promise<void> {
    const value = encodeRecord({ ...record, owner: this.#me });
    const { ok } = await this.#write(() =>
      this.#options.store.txn({ if: [{ key, modRev }], then: [{ op: "put", key, value }] }),
    );
    // Where another daemon was quicker, the watch says so.
    if (ok) this.#options.log.warn("checks taken over", { service: record.service, addr: record.instance.addr });
  }

  async #forgetIfGone(key: string, known: Known, isThere: boolean): Promise<void> {
    const { record, modRev } = known;
    if (isThere) {
      delete known.goneSince;
      return;
    }
    known.goneSince ??= performance.now();
    // Written together with its checks, it can only have been deregistered; give the other watch a second to show it.
    if (performance.now() - known.goneSince < (record.stays ? lookMs : forgetMs)) return;
    await this.#write(() => this.#options.store.txn({ if: [{ key, modRev }], then: [{ op: "delete", key }] }));
  }
}

function isScript({ type }: CheckDefinition): boolean {
  return type === "command" || type === "docker";
}

/** What a registration says; the rest is the registry's to say. */
function bare({ id, addr, proto, meta, weight, zone }: Instance): Instance {
  return {
    ...{ id, addr, proto },
    ...(meta ? { meta } : {}),
    ...(weight === undefined ? {} : { weight }),
    ...(zone === undefined ? {} : { zone }),
  };
}
