import type { Filter } from "./filter.ts";
import type { HealthPolicy, ServiceHealth } from "./serviceHealth.ts";

/** One service of a container, as it shall be registered. */
export interface Service {
  id: string;
  name: string;
  ip: string;
  /** 0: it has none. */
  port: number;
  /** "tcp", "udp", "sctp". */
  proto: string;
  tags: readonly string[];
  attrs: Readonly<Record<string, string>>;
  /** Seconds; 0: no expiry. */
  ttl: number;
  /** The container's own port, as Docker names it: "80". */
  exposedPort: string;
  /** Where the port is published on the host; absent: it is not. */
  hostPort?: number;
  /** What the container calls itself. */
  containerHostname?: string;
  /** Where else it is reached, by the names that Consul has for it; absent when there is nothing to add to `ip` and `port`. */
  addresses?: Readonly<Partial<Record<AddressName, ServiceAddress>>>;
  /** Absent: Docker knows nothing of its health. */
  health?: ServiceHealth;
}

export type AddressName = "lan" | "lan_ipv4" | "lan_ipv6" | "wan" | "wan_ipv4" | "wan_ipv6";

export interface ServiceAddress {
  ip: string;
  port: number;
}

/** A port that is not registered. */
export interface IgnoredPort {
  /** "80/tcp"; "" speaks of the container as a whole. */
  port: string;
  why: string;
}

export interface ServicesOptions extends HealthPolicy {
  /** The host's name: the first part of every default ID. */
  hostname: string;
  /** What `hostname` resolves to (IPv4 first); undefined: it does not. */
  hostnameIp?: string | undefined;
  /** `-ip`: the address of published ports. Default "": the binding's, or the host name's. */
  hostIp?: string;
  /** `-ip6`: the host's IPv6 address, beside `hostIp`. Default "": only what an IPv6 binding names. */
  hostIp6?: string;
  /** `-wan`: where published ports are reached from outside; becomes the tagged address "wan". Default "": none. */
  wanIp?: string;
  /** `-family`: which address is the service's where there are two; the other is a tagged one. Default "ipv4". */
  family?: "ipv4" | "ipv6";
  /** `-internal`: container addresses and ports instead of published ones. Default false. */
  internal?: boolean;
  /**
   * The network whose address `-internal` takes: a name, a subnet (10.0.0.0/8), or label:KEY (the container's label has it); several
   * with commas, the first that fits counts. Default: the one of the container's network mode, else the first by name, Swarm's own last.
   */
  network?: string;
  /** `-bindings`: "first": a port that is published several times is one service. Default "all": one each. */
  bindings?: "all" | "first";
  /** `-explicit`: only ports whose metadata has a name. Default false. */
  explicit?: boolean;
  /** `-opt-in`: only ports with SERVICE_REGISTER=true. Default false. */
  optIn?: boolean;
  /** `-portless`: containers without ports are registered too, with port 0. Default false. */
  portless?: boolean;
  /** `-filter`: which containers. Default: all. */
  filter?: Filter;
  /** `-useIpFromLabel`: the label that holds the address. Default "". */
  ipLabel?: string;
  /** `-tags`: further tags, comma-separated, after their template was run for this container. Default "". */
  forceTags?: string;
  /** `-ttl` in seconds. Default 0. */
  ttl?: number;
  /** Exactly as the original, its bugs included (docs/registrator.md lists them). Default false. */
  compat?: boolean;
}
