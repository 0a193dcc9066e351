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
 */
export interface Discovery {
  /** @throws {DiscoveryError} object_exists, validation_error, service_unavailable */
  addService(service: string, config?: ServiceConfig): Promise<void>;
  /** Removes the service, its instances, leader and meta. @throws {DiscoveryError} object_not_found */
  removeService(service: string): Promise<void>;

  services(): ServiceSummary[] | Promise<ServiceSummary[]>;
  /** Sorted by index; undefined when there is no such service. */
  instances(service: string): Instance[] | undefined | Promise<Instance[] | undefined>;
  leader(service: string): Leader | undefined | Promise<Leader | undefined>;
  meta(service: string): ServiceMeta | undefined | Promise<ServiceMeta | undefined>;

  /**
   * Registers an instance, or heartbeats it when it is already there with the same addr, proto and meta (no write then).
   * @throws {DiscoveryError} object_not_found (no such service), validation_error
   */
  register(service: string, instance: Instance, options?: RegisterOptions): Promise<void>;
  /** @throws {DiscoveryError} object_not_found */
  deregister(service: string, id: string): Promise<void>;

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
}

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
  /** This daemon's id: what its registrations are stamped with. */
  daemon: string;
}
