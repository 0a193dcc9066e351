import type { Container, PortBinding } from "../../../lib/docker/containers.ts";
import type { SwarmService } from "../../../lib/docker/index.ts";

/** What Swarm knows beside the containers. */
export interface Swarm {
  services: readonly SwarmService[];
  /** By network id. */
  networkNames: ReadonlyMap<string, string>;
}

/**
 * "tasks": each task is registered where it runs, as any container, with its service's labels and ingress ports. "vip": a service is
 * registered once, at its virtual IP, or (published) at its ingress ports; its tasks are not. Those in dnsrr mode have no virtual IP: tasks.
 */
export type SwarmMode = "tasks" | "vip";

const serviceLabel = "com.docker.swarm.service.id";

/**
 * The containers with what Swarm says of them.
 *
 * @param leads whether this manager is the one that registers services
 * @param before what was made of a container the last time: it stays the same object where nothing changed
 */
export function swarmContainers(
  containers: ReadonlyMap<string, Container>,
  { services, networkNames }: Swarm,
  mode: SwarmMode,
  leads: boolean,
  before: WeakMap<object, Container>,
): Map<string, Container> {
  const byId = new Map(services.map((service) => [service.id, service]));
  const found = new Map<string, Container>();
  const exposed = new Map<string, Set<string>>();
  for (const [id, container] of containers) {
    const service = byId.get(container.labels[serviceLabel] ?? "");
    if (!service) found.set(id, container);
    else if (mode === "vip" && service.virtualIps.length > 0) {
      const ports = exposed.get(service.id) ?? new Set<string>();
      exposed.set(service.id, ports);
      for (const port of container.exposedPorts) ports.add(port);
    } else {
      const merged = before.get(container) ?? withService(container, service);
      before.set(container, merged);
      found.set(id, merged);
    }
  }
  if (mode === "tasks" || !leads) return found;
  for (const service of services) {
    if (service.virtualIps.length === 0 || service.runningTasks === 0) continue;
    const made = before.get(service) ?? asContainer(service, exposed.get(service.id) ?? new Set(), networkNames);
    before.set(service, made);
    found.set(service.id, made);
  }
  return found;
}

function withService(container: Container, service: SwarmService): Container {
  const bound = new Set(container.ports.filter(({ hostPort }) => hostPort !== "").map(({ port }) => port));
  const ingress = bindingsOf(service).filter(({ port }) => !bound.has(port));
  return { ...container, labels: { ...service.labels, ...container.labels }, ports: [...container.ports, ...ingress] };
}

/** A service as if it were a container at its virtual IPs. */
function asContainer(
  service: SwarmService,
  exposed: ReadonlySet<string>,
  networkNames: ReadonlyMap<string, string>,
): Container {
  const networks = service.virtualIps.map(({ networkId, ip }) => ({
    name: networkNames.get(networkId) ?? networkId,
    networkId,
    ipv4: ip.includes(":") ? "" : ip,
    ipv4PrefixLength: 32,
    ipv6: ip.includes(":") ? ip : "",
    ipv6PrefixLength: 128,
    gateway: "",
    macAddress: "",
    aliases: [],
  }));
  return {
    id: service.id,
    name: service.name,
    image: service.image,
    hostname: service.name,
    env: service.env,
    labels: { ...service.labels, "com.docker.swarm.service.name": service.name },
    exposedPorts: [...new Set([...service.ports.map(({ port }) => port), ...exposed])].sort(),
    networkMode: networks.find(({ name }) => name !== "ingress")?.name ?? "ingress",
    ports: bindingsOf(service),
    networks,
    state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
    pid: 0,
    createdAt: service.createdAt,
    startedAt: service.createdAt,
  };
}

function bindingsOf({ ports }: SwarmService): PortBinding[] {
  return ports
    .filter(({ mode, published }) => mode === "ingress" && published !== "")
    .map(({ port, published }) => ({ port, hostIp: "", hostPort: published }));
}
