import type { Container, PortBinding } from "../../../lib/docker/containers.ts";

/** A container as inspected; engines before API 1.52 also gave an address at the top, which the original read. */
export interface InspectedContainer extends Container {
  topLevelIp?: string;
}

/** Finds a container by id or name, for `container:` networks. */
export type Lookup = (idOrName: string) => InspectedContainer | undefined;

/** A port that a container exposes or publishes. */
export interface ContainerPort {
  /** "80/tcp", as Docker names it; "" for a container without ports. */
  key: string;
  /** "80" */
  exposedPort: string;
  proto: string;
}

/** One way to a published port; `v6` is the same for IPv6 where Docker bound it beside an IPv4 one. */
export interface Binding {
  host: PortBinding;
  v6?: PortBinding;
}

/** The ports that a container exposes or publishes, in Docker's order. */
export function portsOf(container: Container): ContainerPort[] {
  const keys = new Set([...container.exposedPorts, ...container.ports.map(({ port }) => port)]);
  return [...keys].map((key) => {
    const parts = key.split("/");
    return { key, exposedPort: parts[0] ?? "", proto: parts.length === 2 ? (parts[1] ?? "") : "tcp" };
  });
}

/**
 * A port's bindings as services see them: an IPv4 one together with its IPv6 twin. In host mode an exposed port is a published one.
 *
 * @param bindings all of the container's, by port
 */
export function bindingsOf(
  port: ContainerPort,
  place: Container,
  bindings: ReadonlyMap<string, readonly PortBinding[]>,
): Binding[] {
  if (place.networkMode === "host") return [{ host: { port: port.key, hostIp: "", hostPort: port.exposedPort } }];
  const bound = (bindings.get(port.key) ?? []).filter(({ hostPort }) => hostPort !== "");
  const v4 = bound.filter(({ hostIp }) => !hostIp.includes(":"));
  const v6 = bound.filter(({ hostIp }) => hostIp.includes(":"));
  const found: Binding[] = v4.map((host) => {
    const twin = v6.findIndex(({ hostPort }) => hostPort === host.hostPort || (v4.length === 1 && v6.length === 1));
    const [other] = twin < 0 ? [] : v6.splice(twin, 1);
    return other ? { host, v6: other } : { host };
  });
  return [...found, ...v6.map((host) => ({ host }))];
}

/** By port, in Docker's order. */
export function bindingsByPort(container: Container): Map<string, PortBinding[]> {
  const found = new Map<string, PortBinding[]>();
  for (const binding of container.ports) {
    const known = found.get(binding.port);
    if (known) known.push(binding);
    else found.set(binding.port, [binding]);
  }
  return found;
}

/** A port's number; 0 for what is none. As strconv.Atoi, its error passed over. */
export function portNumber(text: string): number {
  return /^\+?\d{1,9}$/.test(text) && Number(text) <= 65_535 ? Number(text) : 0;
}

/** What a label says of the address: "10.9.8.7", or "10.9.8.7/24". */
export function labelAddress(container: Container, ipLabel: string | undefined): string | undefined {
  const label = ipLabel && Object.hasOwn(container.labels, ipLabel) ? container.labels[ipLabel] : undefined;
  if (!label) return undefined;
  const slash = label.lastIndexOf("/");
  return slash < 0 ? label : label.slice(0, slash);
}
