import type { Container } from "../../../lib/docker/containers.ts";
import { isIP } from "../../../lib/runtime/ipAddress.ts";
import type { ServicesOptions } from "./service.ts";

/** A container as inspected; engines before API 1.52 also gave an address at the top, which the original read. */
export interface InspectedContainer extends Container {
  topLevelIp?: string;
}

/** Finds a container by id or name, for `container:` networks. */
export type Lookup = (idOrName: string) => InspectedContainer | undefined;

export interface PortCandidate {
  /** "80/tcp", as Docker names it. */
  key: string;
  exposedPort: string;
  proto: string;
  /** "" when it is not published. */
  hostPort: string;
  hostIp: string;
}

/** The ports that the container exposes or publishes; the first binding of each. */
export function candidatesOf(container: Container): PortCandidate[] {
  const found = new Map<string, PortCandidate>();
  const add = (key: string, hostPort: string, hostIp: string) => {
    const parts = key.split("/");
    const [exposedPort = ""] = parts;
    found.set(key, {
      key,
      exposedPort,
      proto: parts.length === 2 ? (parts[1] ?? "") : "tcp",
      hostPort,
      hostIp: hostIp || "0.0.0.0",
    });
  };
  for (const key of container.exposedPorts) add(key, key.split("/")[0] ?? "", "0.0.0.0");
  const bound = new Set<string>();
  for (const { port, hostPort, hostIp } of container.ports) {
    if (bound.has(port)) continue;
    bound.add(port);
    add(port, hostPort, hostIp);
  }
  return [...found.values()];
}

const wildcard = new Set(["", "0.0.0.0", "::"]);

/** The original's address rules in its order; "" where it had none. */
export function compatAddress(
  container: InspectedContainer,
  port: PortCandidate,
  options: ServicesOptions,
  lookup: Lookup,
): string {
  const mode = container.networkMode;
  let hostIp = port.hostIp;
  if (!["bridge", "default", "host"].includes(mode)) {
    hostIp = container.networks.find((network) => network.name === mode)?.ipv4 ?? "";
  }
  if (hostIp === "0.0.0.0" && options.hostnameIp) hostIp = options.hostnameIp;
  if (options.hostIp) hostIp = options.hostIp;

  let ip = hostIp;
  if (options.internal) ip = topLevelIp(container) || (container.networks.at(-1)?.ipv4 ?? "");
  ip = labelAddress(container, options) ?? ip;
  if (mode.startsWith("container:")) {
    const other = lookup(mode.split(":")[1] ?? "");
    if (other) ip = topLevelIp(other);
  }
  return ip;
}

/**
 * Where the port is reached; or why that cannot be told.
 * Published: `-ip`, else the binding's own address, else the host name's. `-internal`: the container's address on the chosen network
 * (IPv4 first); the host's in host mode.
 *
 * @param place whose network it is: the container itself but in `container:` mode
 */
export function addressOf(
  container: Container,
  place: Container,
  port: PortCandidate,
  options: ServicesOptions,
): { ip: string } | { why: string } {
  const labelled = labelAddress(container, options);
  if (labelled !== undefined) return checked(labelled, `label ${options.ipLabel}`);
  const isHost = place.networkMode === "host";
  if (!options.internal || isHost) {
    if (options.hostIp) return checked(options.hostIp, "-ip");
    if (!wildcard.has(port.hostIp)) return checked(port.hostIp, "the port's binding");
    if (options.hostnameIp) return { ip: options.hostnameIp };
    return { why: `the host's address is not known: "${options.hostname}" does not resolve; give -ip` };
  }
  const withAddress = place.networks.filter(({ ipv4, ipv6 }) => ipv4 !== "" || ipv6 !== "");
  const wanted = options.network || place.networkMode;
  const chosen = withAddress.find(({ name }) => name === wanted) ?? (options.network ? undefined : withAddress[0]);
  if (chosen) return checked(chosen.ipv4 || chosen.ipv6, `network ${chosen.name}`);
  return {
    why: options.network ? `no address on network ${options.network}` : "the container has no address of its own",
  };
}

function checked(ip: string, from: string): { ip: string } | { why: string } {
  return isIP(ip) && !ip.includes("%")
    ? { ip }
    : { why: `${from} gives no IP address: ${JSON.stringify(ip.slice(0, 64))}` };
}

function labelAddress(container: Container, { ipLabel }: ServicesOptions): string | undefined {
  const label = ipLabel && Object.hasOwn(container.labels, ipLabel) ? container.labels[ipLabel] : undefined;
  if (!label) return undefined;
  const slash = label.lastIndexOf("/");
  return slash < 0 ? label : label.slice(0, slash);
}

/** What stood at NetworkSettings.IPAddress: the address on Docker's default bridge. */
function topLevelIp(container: InspectedContainer): string {
  return container.topLevelIp ?? container.networks.find(({ name }) => name === "bridge")?.ipv4 ?? "";
}
