import type { DiscoveryError } from "./discoveryError.ts";

/**
 * The Discovery contract: what discoverd's HTTP API, DNS, registrator, ambassadord and consulate all speak. The engine
 * (over a Store, in this process) and the client (over HTTP) both implement it.
 *
 * Promised:
 * - **Reads come from memory.** They never wait for the store; `status().stale` tells when they may be old.
 * - **Read your writes**: a write resolves after this process's own reads show it.
 * - **A heartbeat is never a store write.** It is a time kept in memory by the daemon that got it; the store holds one
 *   lease per daemon. A heartbeat to another daemon makes that one the owner.
 * - **`index`** of an instance is the store's createRev: > 0, constant for the life of the registration, ordered by age.
 * - **Watch** gives the initial state (`up` by index, `leader`, `service_meta`, then `current`), then changes in order;
 *   the instance event comes before the `leader` event that it caused. After a store reset only differences are sent.
 * - **A mass expiry is held** (`status().brake`) when more than `brakeShare` of the instances would go at once; after a
 *   restart nothing expires for one TTL; after a stall of this process expiry is put off by the stall.
 * - **A leader carries a fencing token**: greater for every later leadership of the service.
 * - **A state other than "up" is kept in the store** (every daemon shows it, a heartbeat does not undo it). An instance that is
 *   down, draining or in maintenance stays registered and listed here (filter with `usableStates`), but an "oldest" service is
 *   not led by it: when it is usable again it goes to the end of the queue of leaders.
 * - **An index of its own for every service** (`index(service)`): the revision of its last change, on the same axis as
 *   `status().rev`, so that a reader who waits for one service is not woken by the others. It grows with every change, also where
 *   a store without order across keys has several at one revision (then it may be a little ahead); back it goes only with the store.
 */
export interface Discovery {
  /** @throws {DiscoveryError} object_exists, validation_error, service_unavailable */
  addService(service: string, config?: ServiceConfig): Promise<void>;
  /** Removes the service, its instances, leader and meta. @throws {DiscoveryError} object_not_found */
  removeService(service: string): Promise<void>;

  /** Sorted by name. */
  services(query?: ServiceQuery): ServiceSummary[] | Promise<ServiceSummary[]>;
  /** Those that pass the query (default: all, in whatever state), sorted by index; undefined when there is no such service. */
  instances(service: string, query?: InstanceQuery): Instance[] | undefined | Promise<Instance[] | undefined>;
  leader(service: string): Leader | undefined | Promise<Leader | undefined>;
  meta(service: string): ServiceMeta | undefined | Promise<ServiceMeta | undefined>;

  /**
   * Revision of the service's last change (undefined: of the list of services and their number of instances): instances, leader,
   * meta, its coming and going. For a service that does not exist: of its going, or of something earlier than any change to come.
   */
  index(service: string | undefined): number | Promise<number>;
  /**
   * Resolves with the new index as soon as `index(service)` is greater than `after` (at once when it is already, or when `after` is of
   * the future: the store was replaced), or with the unchanged index after `timeoutMs`. A service that is absent is waited for.
   */
  changed(service: string | undefined, after: number, options: ChangedOptions): Promise<number>;
  /** The last changes of a service and why, oldest first; of what this daemon saw since its start (at most 64 a service). */
  history(service: string): HistoryEntry[] | Promise<HistoryEntry[]>;

  /**
   * Registers an instance, or heartbeats it when it is already there with the same addr, proto, meta, weight and zone (no write
   * then). `state` and `reason` of the instance count only when it is new: from then on `setState` has them.
   * @throws {DiscoveryError} object_not_found (no such service), validation_error
   */
  register(service: string, instance: Instance, options?: RegisterOptions): Promise<void>;
  /** @throws {DiscoveryError} object_not_found */
  deregister(service: string, id: string): Promise<void>;

  /** Many registrations (or heartbeats) in few writes. One outcome for each, in order: undefined when it is done. Never throws. */
  registerAll(registrations: readonly Registration[]): Promise<(DiscoveryError | undefined)[]>;
  /**
   * Heartbeats by id alone; never a write. Returns those that are not registered: they have to be registered (again).
   * @throws {DiscoveryError} object_not_found (no such service)
   */
  heartbeat(service: string, ids: readonly string[]): string[] | Promise<string[]>;
  /**
   * Two hands on an instance's state: the operator's (any state; "up" takes the hand off) goes before the checks' ("up", "warning",
   * "down"). Each is kept with its reason until it says something else; what is shown is the operator's, else the checks', else "up".
   * No write where nothing changes. @throws {DiscoveryError} object_not_found, validation_error, service_unavailable
   */
  setState(service: string, id: string, change: StateChange): Promise<void>;

  /** Only for services with `leader_type: "manual"`. @throws {DiscoveryError} validation_error */
  setLeader(service: string, id: string): Promise<void>;
  /**
   * CAS on `index`: 0 means "must not exist". `leader_id` moves the leader in the same transaction.
   * @throws {DiscoveryError} object_not_found, object_exists, precondition_failed
   */
  setMeta(service: string, meta: ServiceMetaUpdate): Promise<ServiceMeta>;

  /**
   * One service's events, or all services' when `service` is undefined, until `signal` aborts. A service that does not
   * exist has just `current`. A watch of all ends its initial state with one more `current` whose service is "".
   */
  watch(service: string | undefined, options: WatchOptions): AsyncIterable<DiscoveryEvent>;

  status(): DiscoveryStatus | Promise<DiscoveryStatus>;
  close(): Promise<void>;
}

/** Flynn's instance: `id` = lower-case hex MD5 of `proto + "-" + addr`; `addr` = host:port; `proto` = [a-z0-9]+. */
export interface Instance {
  id: string;
  addr: string;
  proto: string;
  meta?: Record<string, string>;
  /** Set by the server. */
  index?: number;
  /** Share of the load, 0 to 65535, as DNS's SRV has it. Absent: 1. */
  weight?: number;
  /** Where it runs, in words of the user's: [A-Za-z0-9._-]+, at most 63. */
  zone?: string;
  /** Absent: "up". */
  state?: InstanceState;
  /** Why it is in its state; at most 256 characters. */
  reason?: string;
  /** How long it lives without a heartbeat. Read with `detail` only; a registration may bring it instead of `RegisterOptions.ttlMs`. */
  ttl_ms?: number;
  /** The daemon that has its heartbeats. Read with `detail` only; set by the server. */
  owner?: string;
}

/**
 * - up: fine. - warning: usable, with a doubt (a check nears its threshold). - down: its checks fail.
 * - draining: finishes what it has, takes nothing new. - maintenance: taken out by its operator.
 */
export type InstanceState = "up" | "warning" | "down" | "draining" | "maintenance";

/** What may be sent work. */
export const usableStates: readonly InstanceState[] = ["up", "warning"];

/** Every given condition must hold. */
export interface InstanceFilter {
  /** Every name is in the instance's meta with this value. */
  meta?: Readonly<Record<string, string>>;
  states?: readonly InstanceState[];
  proto?: string;
  zone?: string;
}

export interface InstanceQuery extends InstanceFilter {
  /** With `state`, `weight`, `ttl_ms` and `owner` on each, whether or not they are the usual ones. */
  detail?: boolean;
}

export interface ServiceQuery {
  /** Names that begin so. */
  prefix?: string;
  /** Names after this one: the last of the page before. */
  after?: string;
  /** At most so many. Default: all. */
  limit?: number;
}

export interface ChangedOptions {
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface StateChange {
  state: InstanceState;
  reason?: string;
  /** Whose word it is. Default "operator". */
  by?: "operator" | "check";
}

export interface Registration {
  service: string;
  instance: Instance;
  options?: RegisterOptions;
}

/** One change of a service. */
export interface HistoryEntry {
  /** ms since the epoch, by this daemon's clock. */
  at: number;
  rev: number;
  /** "held": the brake on mass expiry keeps it, though its heartbeats are missing. */
  change: "up" | "update" | "down" | "state" | "held" | "leader";
  id: string;
  addr: string;
  why: ChangeReason;
  /** In words: the check's message, the operator's reason, how long it was silent. */
  detail?: string;
  /** The daemon that had it. */
  owner?: string;
}

export type ChangeReason =
  | "registered"
  | "changed"
  | "deregistered"
  | "heartbeat missed"
  | "check failed"
  | "check passed"
  | "operator"
  | "brake held it"
  | "service removed"
  /** The lease of the daemon that had it ran out: that daemon died, or lost the store. */
  | "daemon gone"
  /** Another daemon removed it (that one's history says why). */
  | "removed elsewhere"
  | "elected";

export interface ServiceConfig {
  /** "oldest" (default): the instance with the lowest index leads; "manual": whom `setLeader` named. */
  leader_type?: "oldest" | "manual";
}

export interface ServiceSummary {
  name: string;
  config: ServiceConfig;
  instances: number;
}

export interface Leader {
  instance: Instance;
  /** Pass it along with what the leader writes elsewhere; refuse smaller ones there. */
  fencingToken: number;
}

export interface ServiceMeta {
  data: unknown;
  index: number;
}

export interface ServiceMetaUpdate extends ServiceMeta {
  leader_id?: string;
}

export interface RegisterOptions {
  /** How long an instance lives without a heartbeat, in ms. Default 10,000 (Flynn's). */
  ttlMs?: number;
  /**
   * Who answers for it. A registration with `held: true` needs no heartbeat: it lives as long as this daemon does
   * (registrator in the same process, which deregisters by itself).
   */
  held?: boolean;
}

export type EventKind = "up" | "update" | "down" | "leader" | "current" | "service_meta";

export interface DiscoveryEvent {
  service: string;
  kind: EventKind;
  instance?: Instance;
  service_meta?: ServiceMeta;
  /** With kind "update": what it was before. */
  previous?: Instance;
  /** With kind "leader" and an instance. */
  fencingToken?: number;
  /**
   * What a watch may resume `from` once it has this event: the SSE `id:`. 0 while the initial state is being sent (nothing
   * to resume yet). A step of several events is whole with its last one; resumed in the middle, it is sent again.
   */
  rev: number;
}

export interface WatchOptions {
  signal: AbortSignal;
  /** Default: all kinds. `current` comes in any case. */
  kinds?: readonly EventKind[];
  /** Resume after this `rev`: without gaps when it is still in the log, else the initial state is sent again. */
  from?: number;
  /**
   * Only instances that pass: one that begins to pass is `up`, one that no longer does is `down`. Leaders and meta are not filtered.
   */
  filter?: InstanceFilter;
  /** Events waiting for a slow reader; beyond it the watch ends with DiscoveryError "slow_reader". Default 4096. */
  bufferLimit?: number;
}

export interface DiscoveryStatus {
  /** The store's state was read at least once. */
  ready: boolean;
  /** Reads may be old: the store has not been heard of since `currentAt` (ms since the epoch). */
  stale: boolean;
  currentAt: number;
  reason?: string;
  rev: number;
  services: number;
  instances: number;
  /** How many instances the mass-expiry brake holds now. */
  brake: number;
  /** Above this share of late instances at once the brake holds them (see lib/discovery/engine/expiring.ts). */
  brakeShare: number;
  /** This daemon's id: what its registrations are stamped with. */
  daemon: string;
}
