/**
 * The Plane contract: what carries the bytes from a caller to a backend.
 *
 * Promised:
 * - `apply(routes)` makes the data path equal to the routes, whole: what is not named is gone. New connections see
 *   either all of the old or all of the new; held connections stay where they are.
 * - It is level-triggered: calling it again with the same routes repairs whatever a stranger broke, and changes nothing
 *   otherwise.
 * - One bad route never harms another: it comes back `refused` with the reason.
 * - A removed backend gets no new connection; a half-open one to it is freed, so that its next try goes elsewhere.
 * - `close()` takes away all that the plane put anywhere, and nothing else.
 */
export interface Plane {
  readonly kind: PlaneKind;
  /** Whether this plane can carry the route, and if not why, in words for a person. Pure: no I/O. */
  canCarry(route: Route): { ok: true } | { ok: false; why: string };
  apply(routes: readonly Route[]): Promise<AppliedRoute[]>;
  close(): Promise<void>;
}

/** `kernel`: nftables map; `splice`: epoll + splice in Workers; `socket`: portable user space. */
export type PlaneKind = "kernel" | "splice" | "socket";

export interface Route {
  /** Stable name: `<caller container id or "any">/<proto>/<port>`. */
  id: string;
  caller: Caller;
  proto: "tcp" | "udp";
  /** The port that the caller dials on the ambassador. */
  port: number;
  /** What it asked for, as it wrote it: for tables and explanations. */
  target: string;
  backends: readonly Backend[];
  needs: RouteNeeds;
}

export interface Caller {
  /** The caller's addresses, one per network; empty: any caller. */
  addresses: readonly CallerAddress[];
  /** For people: the container's name, or "any". */
  name: string;
}

export interface CallerAddress {
  ip: string;
  /** Docker's network id: kernel forwarding between two networks is dropped by the engine's isolation rules. */
  networkId: string;
  /** The ambassador's address on that network (the bridge's gateway). */
  gateway: string;
  /** The network has no way out (`docker network create --internal`): what is not on it is out of the kernel's reach. */
  internal?: boolean;
  /** Its containers may not talk to each other (`com.docker.network.bridge.enable_icc=false`): the engine drops it. */
  isolated?: boolean;
}

export interface Backend {
  /** The instance id, or `host:port` of a static one. */
  id: string;
  ip: string;
  port: number;
  /** Relative share of new connections. Default 1; 0 = none. */
  weight: number;
  /** Docker network of a backend on this host; undefined: elsewhere. */
  networkId?: string;
}

/** What a route asks beyond moving bytes; any of them takes it to user space. */
export interface RouteNeeds {
  /** Try other backends when a connect fails: how many in all. Default 1 (no retry). */
  connectAttempts?: number;
  proxyProtocol?: "v1" | "v2";
}

export interface AppliedRoute {
  route: Route;
  /** "none" when it is refused. */
  plane: PlaneKind | "none";
  /** Why this plane and not a faster one, or why refused: shown to people. */
  why: string;
  state: "active" | "no_backends" | "refused";
  /** Backends that refused a connect in the last seconds: while another is there, they get none. */
  refusing?: readonly Backend[];
}
