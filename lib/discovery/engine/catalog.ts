import type { Entry, Snapshot } from "../../store/store.ts";
import type { DiscoveryEvent, Instance, InstanceQuery, Leader, ServiceMeta } from "../discovery.ts";
import { isUsable, matches } from "../matches.ts";
import { sameInstance } from "../sameInstance.ts";
import { ChangeIndexes } from "./changeIndexes.ts";
import { eventsOf, type Shown, type ShownInstance } from "./eventsOf.ts";
import type { Holding } from "./holdings.ts";
import { Intern, ownString } from "./intern.ts";
import { configKey, daemonKey, instanceKey, leaderKey, metaKey, parseKey } from "./keys.ts";
import { leaderOf, type NamedLeader, sinceOf } from "./leaderOf.ts";
import { InstanceRecord, newServiceState, type ServiceState } from "./serviceState.ts";
import {
  decodeConfig,
  decodeDaemon,
  decodeInstance,
  decodeLeader,
  decodeMeta,
  handOf,
  type Standing,
  type StoredInstance,
} from "./storedValues.ts";
import { Writers } from "./writers.ts";

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
  /** The index of what changed in it: the step's revision, or more where a step before had that one too. */
  at: number;
  events: DiscoveryEvent[];
  instances: InstanceChange[];
  /** Services whose state was touched. */
  services: ServiceState[];
  /** Names of those in which something changed that anybody can see. */
  changed: string[];
  /** The list of services, or a number of instances in it, changed. */
  listChanged: boolean;
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
  /** Live daemons on this store: id -> address. Another map after each change. */
  daemons: ReadonlyMap<string, string> = new Map();
  rev = 0;
  /** Taken so far. A store without order across keys has several steps of one revision. */
  steps = 0;
  /** How often the store's revisions went back: an index says something within one epoch only. */
  epoch = 0;
  /** Services that exist, and their instances. */
  serviceCount = 0;
  instanceCount = 0;
  readonly #indexes = new ChangeIndexes();
  readonly #intern = new Intern();
  readonly #writers = new Writers();
  /** Told of what a record that goes was holding. */
  onHoldingLost: (holding: Holding) => void = () => undefined;

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

  /** With the query's conditions, and with all its details where those are asked for. */
  query(name: string, query: InstanceQuery | undefined, ttlMs: number): Instance[] | undefined {
    const all = this.instances(name);
    if (!all || !query) return all?.slice();
    const found = all.filter((instance) => matches(instance, query));
    return query.detail ? found.map((instance) => this.#detail(name, instance, ttlMs)) : found;
  }

  /** Of the last change: see Discovery.index. */
  index(name: string | undefined): number {
    if (name === undefined) return Math.max(1, this.#indexes.ofList);
    return this.service(name)?.changedAt ?? this.#indexes.ofAbsent(name);
  }

  /** Whether who knows the index `after` of `epoch` has to look again: it grew, or is not of this store as it is now. */
  isNews(name: string | undefined, after: number, epoch: number): boolean {
    return this.index(name) > after || after > Math.max(this.rev, this.#indexes.last) || epoch !== this.epoch;
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
    const wentBack = step.rev < this.rev;
    const at = wentBack
      ? this.#indexes.goBack(step.rev, this.services.values())
      : this.#indexes.next(step.rev, this.rev);
    if (wentBack) this.epoch++;
    this.rev = step.rev;
    this.steps++;
    const touched = new Map<string, Touched>();
    const spoilt: string[] = [];
    for (const entry of step.puts) if (!this.#put(entry, touched)) spoilt.push(entry.key);
    for (const key of step.deletes) this.#delete(key, touched);
    const result: StepResult = { at, events: [], instances: [], services: [], changed: [], listChanged: false, spoilt };
    const before = { services: this.serviceCount, instances: this.instanceCount };
    for (const touch of touched.values()) this.#settle(touch, step.rev, result);
    result.listChanged ||= before.services !== this.serviceCount || before.instances !== this.instanceCount;
    if (result.listChanged) this.#indexes.ofList = at;
    if (result.listChanged || result.changed.length > 0) this.#indexes.last = at;
    return result;
  }

  #put(entry: Entry, touched: Map<string, Touched>): boolean {
    const key = parseKey(entry.key);
    if (!key) return true; // not ours to read
    if (key.kind === "daemon") {
      this.daemons = new Map(this.daemons).set(key.daemon, decodeDaemon(entry.value).address);
      return true;
    }
    const touch = this.#touch(key.service, touched);
    const { state } = touch;
    if (key.kind === "instance") {
      const record = this.#record(key.id, entry, state.instances.get(key.id));
      if (!record) return false;
      noteBefore(touch, key.id);
      state.instances.set(record.instance.id, record);
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
      this.daemons = new Map([...this.daemons].filter(([daemon]) => daemon !== key.daemon));
      return;
    }
    if (!this.services.has(key.service)) return;
    const touch = this.#touch(key.service, touched);
    const { state } = touch;
    if (key.kind === "instance") {
      const record = state.instances.get(key.id);
      if (!record) return;
      noteBefore(touch, key.id);
      state.instances.delete(key.id);
      if (record.holding) this.onHoldingLost(record.holding);
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
      state = newServiceState(service);
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
    const shown: ShownInstance[] = [];
    for (const [id, was] of touch.instances) {
      const is = state.instances.get(id);
      shown.push({ was: existed ? was?.instance : undefined, is: exists ? is?.instance : undefined });
      result.instances.push({ service: state.name, id, before: was, after: exists ? is : undefined });
      this.instanceCount += (exists && is ? 1 : 0) - (existed && was ? 1 : 0);
    }
    this.serviceCount += (exists ? 1 : 0) - (existed ? 1 : 0);
    if (touch.instances.size > 0) state.sorted = undefined;
    decideLeader(state, touch);
    const was: Shown = { leader: touch.leader, meta: existed ? touch.meta : undefined };
    const is: Shown = { leader: state.leader, meta: exists ? state.meta : undefined };
    const events = eventsOf(state.name, shown, was, is, rev);
    for (const event of events) result.events.push(event);
    result.services.push(state);
    if (events.length > 0 || exists !== existed) {
      state.changedAt = result.at;
      result.changed.push(state.name);
      if (!exists) this.#indexes.leave(state.name, result.at);
      else if (!existed) this.#indexes.come(state.name);
      if (exists !== existed) result.listChanged = true;
    }
    if (!exists && state.instances.size === 0 && !state.meta && !state.named) this.services.delete(state.name);
  }

  #record(id: string, entry: Entry, known: InstanceRecord | undefined): InstanceRecord | undefined {
    const stored = decodeInstance(entry.value);
    if (!stored) return undefined;
    const fresh = this.#shown(known?.instance.id ?? ownString(id), entry.createRev, stored);
    const same = known && known.instance.index === entry.createRev && sameInstance(known.instance, fresh);
    const record = {
      instance: same ? known.instance : fresh,
      modRev: entry.modRev,
      ttlMs: stored.ttl,
      standing: standingOf(stored, entry.modRev),
      holding: known?.holding,
    };
    return new InstanceRecord(record, this.#writers.of(entry.lease, stored.daemon));
  }

  #shown(id: string, index: number, stored: StoredInstance): Instance {
    const { addr, meta, weight, zone } = stored;
    const proto = this.#intern.word(stored.proto);
    // Whole literals: objects that grow take more memory, and there are many of these.
    const instance: Instance = meta
      ? { id, addr, proto, meta: this.#intern.meta(meta), index }
      : { id, addr, proto, index };
    if (weight !== undefined) instance.weight = weight;
    if (zone !== undefined) instance.zone = this.#intern.word(zone);
    const hand = handOf(stored);
    if (hand) instance.state = hand.state;
    if (hand?.reason !== undefined) instance.reason = hand.reason;
    return instance;
  }

  #detail(service: string, instance: Instance, ttlMs: number): Instance {
    const record = this.services.get(service)?.instances.get(instance.id);
    return {
      ...instance,
      weight: instance.weight ?? 1,
      state: instance.state ?? "up",
      ttl_ms: record?.ttlMs ?? ttlMs,
      owner: record?.daemon ?? "",
    };
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

function standingOf({ operator, check, since }: StoredInstance, modRev: number): Standing | undefined {
  if (!operator && !check && since === undefined) return undefined;
  const standing: Standing = {};
  if (operator) standing.operator = operator;
  if (check) standing.check = check;
  if (since !== undefined) standing.since = since === 0 ? modRev : since;
  return standing;
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
    const stands = state.instances.get(state.leader.instance.id);
    const { fencingToken } = state.leader;
    if (stands && isUsable(stands.instance) && sinceOf(stands) === fencingToken) {
      let isOldest = true;
      for (const id of touch.instances.keys()) {
        const record = state.instances.get(id);
        if (record && sinceOf(record) < fencingToken && isUsable(record.instance)) isOldest = false;
      }
      if (isOldest) {
        const { instance } = stands;
        if (instance !== state.leader.instance) state.leader = { instance, fencingToken };
        return;
      }
    }
  }
  const { leader, toName } = leaderOf(state.config.leader_type, state.instances, state.named);
  state.leader = leader;
  state.toName = toName;
}
