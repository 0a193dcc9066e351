/** One service of a container, as it shall be registered. */
export interface Service {
  id: string;
  name: string;
  ip: string;
  port: number;
  /** "tcp", "udp", "sctp". */
  proto: string;
  tags: readonly string[];
  attrs: Readonly<Record<string, string>>;
  /** Seconds; 0: no expiry. */
  ttl: number;
  /** The container's own port, as Docker names it: "80". */
  exposedPort: string;
}

/** A port that is not registered. */
export interface IgnoredPort {
  /** "80/tcp"; "" speaks of the container as a whole. */
  port: string;
  why: string;
}

export interface ServicesOptions {
  /** The host's name: the first part of every default ID. */
  hostname: string;
  /** What `hostname` resolves to (IPv4 first); undefined: it does not. */
  hostnameIp?: string | undefined;
  /** `-ip`: the address of published ports. Default "": the binding's, or the host name's. */
  hostIp?: string;
  /** `-internal`: container addresses and ports instead of published ones. Default false. */
  internal?: boolean;
  /** The network whose address `-internal` takes. Default: the one of the container's network mode, else the first by name. */
  network?: string;
  /** `-explicit`: only ports whose metadata has a name. Default false. */
  explicit?: boolean;
  /** `-useIpFromLabel`: the label that holds the address. Default "". */
  ipLabel?: string;
  /** `-tags`: further tags, comma-separated, after their template was run for this container. Default "". */
  forceTags?: string;
  /** `-ttl` in seconds. Default 0. */
  ttl?: number;
  /** Exactly as the original, its bugs included (docs/registrator.md lists them). Default false. */
  compat?: boolean;
}
