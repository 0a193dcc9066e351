/**
 * The Containers contract: `watchContainers()` yields **full states, not events**.
 *
 * Promised:
 * - Each yielded state is complete: every container of the engine, as inspected (or as foreseen, see `upcoming`). Consumers diff against what they did.
 * - No event is lost: it subscribes, buffers, lists, replays; lists again after each reconnect and every few minutes.
 * - It never ends because Docker restarted, is absent or refuses: the state then says `connected: false` and why, keeps
 *   the last known containers, and goes on by itself. It ends only by its signal. While not connected, that a container is
 *   missing proves nothing (an engine that was never reached has none); that it died or was removed is told as soon as known.
 * - The first state with `connected: true` holds everything. A process's end shows at once, before the inspect that follows.
 * - Inspects of one container never overlap and never arrive out of order.
 * - States are conflated: a slow consumer gets the newest, never a queue. Memory is bounded by the containers that exist.
 * - One container that cannot be read is in `unreadable` with its reason; others are whole. Where its answer is garbage, it is
 *   left out; where the engine failed to answer (time out, 5xx), what was known of it stays, and it is tried again.
 */
export interface ContainersState {
  /** Whether this is the engine's state now; false: the last one known. */
  connected: boolean;
  /** Why not connected, in words for a person. */
  reason?: string;
  /** By full id. Created, running, paused, restarting; exited ones too until removed. */
  containers: ReadonlyMap<string, Container>;
  /** Why a container could not be read, by full id. */
  unreadable: ReadonlyMap<string, string>;
  /** Ids whose entry changed (added, updated, removed) since the last state that this consumer was given. */
  changed: ReadonlySet<string>;
  /**
   * By full id, those that are being started, as they will be: if nothing else happens, at the engine's start event the very same object
   * stands in `containers`, without PID, gateways and the aliases that the engine adds, until the inspect that follows. Absent but for a
   * watcher with `foresee`.
   */
  upcoming?: ReadonlyMap<string, Container>;
  /**
   * When the oldest Docker event behind what changed happened, ms since the epoch by the engine's clock, with fractions;
   * undefined when it came from a list.
   */
  eventAt?: number;
  /** Grows with every state of this watch. */
  version: number;
  engine?: EngineInfo;
}

export interface EngineInfo {
  /** The daemon's id from /info: the owner stamp of what is registered for its containers. */
  id: string;
  /** The host's name as the engine tells it. */
  name: string;
  version: string;
  /** The API version in use, for example "1.41". */
  apiVersion: string;
}

/** The part of an inspect answer that the tools decide from; parsed at the border, null and absent made empty. */
export interface Container {
  id: string;
  /** Without the leading slash. */
  name: string;
  image: string;
  hostname: string;
  env: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** "80/tcp", from Config.ExposedPorts. */
  exposedPorts: readonly string[];
  networkMode: string;
  ports: readonly PortBinding[];
  networks: readonly ContainerNetwork[];
  state: ContainerState;
  /** The PID of its first process in the engine's PID namespace; 0 when not running. */
  pid: number;
  createdAt: string;
  startedAt: string;
  /** By which signal it wants to be stopped, as its image or `docker run` says ("SIGQUIT"); absent: SIGTERM. */
  stopSignal?: string;
  /** It publishes no port and has no HEALTHCHECK: of what is told here, its start decides nothing but its networks, PID and time. */
  foreseeable?: true;
  /**
   * It runs, but was told to end by SIGTERM, SIGINT or its stop signal; gone when it ended, or when it still lives after a while
   * (the watcher's `stoppingMs`): it survived.
   */
  stopping?: Stopping;
}

export interface Stopping {
  /** Linux's number: 15. */
  signal: number;
  /** ms since the epoch by the engine's clock. */
  at: number;
}

export interface PortBinding {
  /** "80/tcp" */
  port: string;
  hostIp: string;
  /** "" when the port is exposed but not published. */
  hostPort: string;
}

export interface ContainerNetwork {
  name: string;
  networkId: string;
  ipv4: string;
  ipv4PrefixLength: number;
  ipv6: string;
  ipv6PrefixLength: number;
  gateway: string;
  macAddress: string;
  aliases: readonly string[];
}

export interface ContainerState {
  status: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  running: boolean;
  paused: boolean;
  exitCode: number;
  /** Docker's HEALTHCHECK; "none" without one. */
  health: "none" | "starting" | "healthy" | "unhealthy";
  healthOutput: string;
}
