import type { Entry, Snapshot } from "../../store/store.ts";
import type { DiscoveryEvent, Instance, Leader, ServiceConfig, ServiceMeta } from "../discovery.ts";
import { sameInstance } from "../sameInstance.ts";
import { eventsOf, type Shown } from "./eventsOf.ts";
import { configKey, daemonKey, instanceKey, leaderKey, metaKey, parseKey } from "./keys.ts";
import { leaderOf, type NamedLeader } from "./leaderOf.ts";
import { decodeConfig, decodeDaemon, decodeInstance, decodeLeader, decodeMeta } from "./storedValues.ts";

/** One registration as the store has it. */
export interface InstanceRecord {
  instance: Instance;
  modRev: number;
  lease: string | undefined;
  daemon: string;
  ttlMs: number | undefined;
}

export interface ServiceState {
  readonly name: string;
  /** Undefined: there is no such service (whatever else the store has under its name is not shown). */
  config: ServiceConfig | undefined;
  configRev: number;
  readonly instances: Map<string, InstanceRecord>;
  meta: ServiceMeta | undefined;
  named: NamedLeader | undefined;
  leader: Leader | undefined;
  /** An "oldest" service without a leader until this one is named: see leaderOf. */
  toName: string | undefined;
  sorted: readonly Instance[] | undefined;
}

/** Changes of one revision (or all that a reset brings). */
export interface Step {
  rev: number;
  puts: readonly Entry[];
  deletes: readonly string[];
}

export interface InstanceChange {
  service: string;
  id: string;
  before: InstanceRecord | undefined;
  after: InstanceRecord | undefined;
}

export interface StepResult {
  events: DiscoveryEvent[];
  instances: InstanceChange[];
  /** Services whose state was touched. */
  services: ServiceState[];
  /** Keys whose value could not be read; each is hidden, nothing else suffers. */
  spoilt: string[];
}

interface Touched {
  state: ServiceState;
  existed: boolean;
  leader: Leader | undefined;
  meta: ServiceMeta | undefined;
  named: NamedLeader | undefined;
  instances: Map<string, InstanceRecord | undefined>;
}

/** The state of all services in memory, and what each step of the store changes in it. Pure: no time, no I/O. */
export class Catalog {
  readonly services = new Map<string, ServiceState>();
  /** Live daemons on this store: id -> address. */
  readonly daemons = new Map<string, string>();
  rev = 0;
  /** Services that exist, and their instances. */
  serviceCount = 0;
  instanceCount = 0;
  readonly #daemonNames = new Map<string, string>();

  service(name: string): ServiceState | undefined {
    const state = this.services.get(name);
    return state?.config ? state : undefined;
  }

  /** By index. The array is shared and never changed. */
  instances(name: string): readonly Instance[] | undefined {
    const state = this.service(name);
    if (!state) return undefined;
    state.sorted ??= [...state.instances.values()]
      .map((record) => record.instance)
      .sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
    return state.sorted;
  }

  /** The step from what is known to `snapshot`: only what differs. */
  stepTo(snapshot: Snapshot): Step {
    const missing = new Set(this.#keys());
    const puts: Entry[] = [];
    for (const entry of snapshot.entries) {
      missing.delete(entry.key);
      if (this.#differs(entry)) puts.push(entry);
    }
    return { rev: snapshot.rev, puts, deletes: [...missing] };
  }

  apply(step: Step): StepResult {
    this.rev = step.rev;
    const touched = new Map<string, Touched>();
    const spoilt: string[] = [];
    for (const entry of step.puts) if (!this.#put(entry, touched)) spoilt.push(entry.key);
    for (const key of step.deletes) this.#delete(key, touched);
    const result: StepResult = { events: [], instances: [], services: [], spoilt };
    for (const touch of touched.values()) this.#settle(touch, step.rev, result);
    return result;
  }

  #put(entry: Entry, touched: Map<string, Touched>): boolean {
    const key = parseKey(entry.key);
    if (!key) return true; // not ours to read
    if (key.kind === "daemon") {
      this.daemons.set(key.daemon, decodeDaemon(entry.value).address);
      return true;
    }
    const touch = this.#touch(key.service, touched);
    const { state } = touch;
    if (key.kind === "instance") {
      const record = this.#record(key.id, entry, state.instances.get(key.id));
      if (!record) return false;
      noteBefore(touch, key.id);
      state.instances.set(key.id, record);
    } else if (key.kind === "config") {
      state.config = decodeConfig(entry.value);
      state.configRev = entry.modRev;
    } else if (key.kind === "leader") {
      const id = decodeLeader(entry.value);
      state.named = id === undefined ? undefined : { id, rev: entry.modRev };
    } else {
      const meta = decodeMeta(entry.value);
      if (!meta) return false;
      state.meta = { data: meta.data, index: entry.modRev };
    }
    return true;
  }

  #delete(text: string, touched: Map<string, Touched>): void {
    const key = parseKey(text);
    if (!key) return;
    if (key.kind === "daemon") {
      this.daemons.delete(key.daemon);
      this.#daemonNames.delete(key.daemon);
      return;
    }
    if (!this.services.has(key.service)) return;
    const touch = this.#touch(key.service, touched);
    const { state } = touch;
    if (key.kind === "instance") {
      if (!state.instances.has(key.id)) return;
      noteBefore(touch, key.id);
      state.instances.delete(key.id);
    } else if (key.kind === "config") {
      state.config = undefined;
      // All are taken down in this step, whether or not their own deletes come in it.
      for (const id of state.instances.keys()) noteBefore(touch, id);
    } else if (key.kind === "leader") state.named = undefined;
    else state.meta = undefined;
  }

  #touch(service: string, touched: Map<string, Touched>): Touched {
    const known = touched.get(service);
    if (known) return known;
    let state = this.services.get(service);
    if (!state) {
      state = {
        name: service,
        config: undefined,
        configRev: 0,
        instances: new Map(),
        meta: undefined,
        named: undefined,
        leader: undefined,
        toName: undefined,
        sorted: undefined,
      };
      this.services.set(service, state);
    }
    const existed = state.config !== undefined;
    const { leader, meta, named } = state;
    const touch: Touched = { state, existed, leader, meta, named, instances: new Map() };
    touched.set(service, touch);
    return touch;
  }

  #settle(touch: Touched, rev: number, result: StepResult): void {
    const { state, existed } = touch;
    const exists = state.config !== undefined;
    // A config that came after instances (stores without order across keys) shows them all now.
    if (exists && !existed) for (const id of state.instances.keys()) noteBefore(touch, id);
    const before = new Map<string, Instance | undefined>();
    const after = new Map<string, Instance | undefined>();
    for (const [id, was] of touch.instances) {
      const is = state.instances.get(id);
      before.set(id, existed ? was?.instance : undefined);
      after.set(id, exists ? is?.instance : undefined);
      result.instances.push({ service: state.name, id, before: was, after: exists ? is : undefined });
      this.instanceCount += (exists && is ? 1 : 0) - (existed && was ? 1 : 0);
    }
    this.serviceCount += (exists ? 1 : 0) - (existed ? 1 : 0);
    if (touch.instances.size > 0) state.sorted = undefined;
    decideLeader(state, touch);
    const was: Shown = { instances: before, leader: touch.leader, meta: existed ? touch.meta : undefined };
    const is: Shown = { instances: after, leader: state.leader, meta: exists ? state.meta : undefined };
    result.events.push(...eventsOf(state.name, was, is, rev));
    result.services.push(state);
    if (!exists && state.instances.size === 0 && !state.meta && !state.named) this.services.delete(state.name);
  }

  #record(id: string, entry: Entry, known: InstanceRecord | undefined): InstanceRecord | undefined {
    const stored = decodeInstance(entry.value);
    if (!stored) return undefined;
    const { addr, proto, meta, daemon, ttl } = stored;
    const fresh: Instance = { id, addr, proto, ...(meta ? { meta } : {}), index: entry.createRev };
    const same = known && known.instance.index === entry.createRev && sameInstance(known.instance, fresh);
    return {
      instance: same ? known.instance : fresh,
      modRev: entry.modRev,
      lease: entry.lease,
      daemon: this.#oneString(daemon),
      ttlMs: ttl,
    };
  }

  /** Thousands of records name few daemons: one string each. */
  #oneString(daemon: string): string {
    const known = this.#daemonNames.get(daemon);
    if (known !== undefined) return known;
    this.#daemonNames.set(daemon, daemon);
    return daemon;
  }

  #differs(entry: Entry): boolean {
    const key = parseKey(entry.key);
    if (!key || key.kind === "daemon") return key !== undefined;
    const state = this.services.get(key.service);
    if (!state) return true;
    if (key.kind === "config") return !state.config || state.configRev !== entry.modRev;
    if (key.kind === "meta") return state.meta?.index !== entry.modRev;
    if (key.kind === "leader") return state.named?.rev !== entry.modRev;
    if (key.kind !== "instance") return true;
    const record = state.instances.get(key.id);
    return record?.modRev !== entry.modRev || record.instance.index !== entry.createRev;
  }

  *#keys(): Generator<string> {
    for (const daemon of this.daemons.keys()) yield daemonKey(daemon);
    for (const { name, config, meta, named, instances } of this.services.values()) {
      if (config) yield configKey(name);
      if (meta) yield metaKey(name);
      if (named) yield leaderKey(name);
      for (const id of instances.keys()) yield instanceKey(name, id);
    }
  }
}

function noteBefore(touch: Touched, id: string): void {
  if (!touch.instances.has(id)) touch.instances.set(id, touch.state.instances.get(id));
}

/** Most steps cannot change an oldest leader, and are told from those that can without looking at all instances. */
function decideLeader(state: ServiceState, touch: Touched): void {
  if (!state.config) {
    state.leader = undefined;
    state.toName = undefined;
    return;
  }
  const simple = touch.existed && state.config.leader_type !== "manual" && !state.named && !touch.named;
  if (simple && state.leader) {
    const { instance } = state.leader;
    const stands = state.instances.get(instance.id)?.instance;
    const index = instance.index ?? 0;
    const older = [...touch.instances.keys()].some((id) => (state.instances.get(id)?.instance.index ?? index) < index);
    if (stands?.index === index && !older) {
      if (stands !== instance) state.leader = { instance: stands, fencingToken: index };
      return;
    }
  }
  const { leader, toName } = leaderOf(state.config.leader_type, state.instances, state.named);
  state.leader = leader;
  state.toName = toName;
}
