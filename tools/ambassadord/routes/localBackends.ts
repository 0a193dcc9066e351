import type { Container } from "../../../lib/docker/containers.ts";

/** Where a local container is reached: one per network. */
export interface LocalAddress {
  ip: string;
  port: number;
  networkId: string;
}

/** What the host's own containers say about a backend's address. */
export type LocalBackend =
  | { kind: "local"; container: string; addresses: LocalAddress[] }
  /** It belongs to a container that does not run (or is paused): no connection would be answered. */
  | { kind: "down"; container: string; why: string }
  | { kind: "elsewhere" };

/** Addresses that a container had when it went, until another one has them; the oldest are forgotten beyond this many. */
const mostGone = 4096;

/**
 * Knows the addresses of this host's containers: a container's own, and the host's where one publishes a port. It also
 * remembers whose an address was, so that a backend is left out the moment its container dies, before discovery says so.
 */
export class LocalBackends {
  readonly #byIp = new Map<string, { container: Container; networkId: string }>();
  /** "<host ip or empty>:<port>/<proto>" */
  readonly #published = new Map<string, { container: Container; port: number }>();
  /** What was in the two maps and is no longer: key -> container name. */
  readonly #gone = new Map<string, string>();
  #names = new Map<string, string>();

  /** Takes the newest state of all containers. */
  update(containers: Iterable<Container>, localAddresses: ReadonlySet<string>): void {
    const before = this.#names;
    this.#byIp.clear();
    this.#published.clear();
    this.#names = new Map();
    for (const container of containers) {
      if (!container.state.running) continue;
      for (const { ipv4, networkId } of container.networks) {
        if (ipv4 === "") continue;
        this.#byIp.set(ipv4, { container, networkId });
        this.#names.set(ipv4, container.name);
      }
      for (const { port, hostIp, hostPort } of container.ports) {
        const [privatePort, proto] = port.split("/");
        if (hostPort === "") continue;
        const hosts = hostIp === "" || hostIp === "0.0.0.0" ? [...localAddresses] : [hostIp];
        for (const host of hosts) {
          const key = `${host}:${hostPort}/${proto ?? "tcp"}`;
          this.#published.set(key, { container, port: Number(privatePort) });
          this.#names.set(key, container.name);
        }
      }
    }
    for (const [key, name] of before) if (!this.#names.has(key)) this.#gone.set(key, name);
    for (const key of this.#names.keys()) this.#gone.delete(key);
    for (const key of this.#gone.keys()) {
      if (this.#gone.size <= mostGone) break;
      this.#gone.delete(key);
    }
  }

  /** What is known of an address that discovery, or a container, names as a backend. */
  find(ip: string, port: number, proto: string): LocalBackend {
    const own = this.#byIp.get(ip);
    if (own) return backendOf(own.container, port);
    const transport = proto === "udp" ? "udp" : "tcp";
    const published = this.#published.get(`${ip}:${port}/${transport}`);
    if (published) return backendOf(published.container, published.port);
    const gone = this.#gone.get(ip) ?? this.#gone.get(`${ip}:${port}/${transport}`);
    if (gone !== undefined) return { kind: "down", container: gone, why: `container ${gone} does not run` };
    return { kind: "elsewhere" };
  }
}

function backendOf(container: Container, port: number): LocalBackend {
  if (container.state.paused)
    return { kind: "down", container: container.name, why: `container ${container.name} is paused` };
  const addresses = container.networks
    .filter(({ ipv4 }) => ipv4 !== "")
    .map(({ ipv4, networkId }) => ({ ip: ipv4, port, networkId }));
  // On the host's own network it has no address of its own: the host's is as good as any other host's.
  return addresses.length > 0 ? { kind: "local", container: container.name, addresses } : { kind: "elsewhere" };
}
