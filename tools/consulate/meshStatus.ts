/** What GET /mesh answers, `consulate status` prints and the story checks: the whole mesh of this host, as known now. */
export interface MeshStatus {
  version: string;
  /** Every part does its work on current state. */
  ready: boolean;
  /** Why not, one clause a part. */
  reason?: string;
  api: string;
  /** host:port of DNS; absent while it does not listen. */
  dns?: string;
  /** Why DNS does not listen, when it was asked to. */
  dnsReason?: string;
  docker: { connected: boolean; engine?: string; reason?: string };
  /** Reads go on from memory while stale. */
  store: { url: string; stale: boolean; reason?: string };
  services: ServiceStatus[];
  routes: RouteStatus[];
  containers: ContainerStatus[];
}

export interface ServiceStatus {
  name: string;
  instances: InstanceStatus[];
}

export interface InstanceStatus {
  addr: string;
  proto: string;
  /** The name of the container behind it, when it is one of this host. */
  container?: string;
  leader: boolean;
}

export interface RouteStatus {
  caller: string;
  proto: string;
  port: number;
  target: string;
  plane: string;
  why: string;
  state: string;
  /** host:port, in the order of the route. */
  backends: string[];
}

export interface ContainerStatus {
  id: string;
  name: string;
  services: { name: string; addr: string; state: string; reason?: string }[];
  /** Ports and settings of it that are not registered, and why. */
  ignored: { port: string; why: string }[];
}
