import type { Instance } from "../../../lib/discovery/discovery.ts";
import type { Container } from "../../../lib/docker/containers.ts";
import { isIP } from "../../../lib/runtime/ipAddress.ts";
import type { AppliedRoute, Backend, CallerAddress, Route } from "../planes/plane.ts";
import { type Ask, asksOf, printable } from "./asksOf.ts";
import type { LocalBackends } from "./localBackends.ts";
import type { NetworkFact } from "./networkFacts.ts";
import type { Endpoint } from "./parseSpec.ts";

export interface World {
  containers: Iterable<Container>;
  /** None also when discovery knows no such service. */
  instances: (service: string) => readonly Instance[];
  local: Pick<LocalBackends, "find">;
  /** The addresses that a host name stands for, as far as known. */
  resolve: (host: string) => readonly string[];
  host: HostAddresses;
  /** undefined: not known yet, but in a moment; the container's address there waits for it. */
  network: (networkId: string) => NetworkFact | undefined;
}

export interface HostAddresses {
  isLocal: (ip: string) => boolean;
  /** This host's address in the subnet that `ip` belongs to, "" when it has none there. */
  inSubnetOf: (ip: string) => string;
}

export interface RoutesAsked {
  routes: Route[];
  /** Asks that cannot become a route, each with its reason. */
  refused: AppliedRoute[];
  /** By route id: backends that were left out, and why; a service that is not there. */
  notes: Map<string, string[]>;
  /** What `resolve` and `network` are asked for: the loop keeps these known. */
  hostNames: Set<string>;
  networkIds: Set<string>;
  /** A route is missing, or lacks an address, because a network is not known yet. */
  waiting: boolean;
}

/**
 * The routes that the containers ask for, with the backends that answer for them now. Pure; whatever one container
 * wrote changes only its own routes.
 */
export function routesOf(world: World): RoutesAsked {
  const all: RoutesAsked = {
    routes: [],
    refused: [],
    notes: new Map(),
    hostNames: new Set(),
    networkIds: new Set(),
    waiting: false,
  };
  for (const container of world.containers) {
    if (!container.state.running) continue;
    const asks = asksOf(container);
    if (asks.length === 0) continue;
    const caller = callerOf(container, world, all);
    if (!caller) continue;
    const name = printable(container.name);
    for (const [index, ask] of asks.entries()) {
      const refuse = (why: string) =>
        all.refused.push({
          // Several refused asks may name the same port, or none: the number tells them apart.
          route: routeOf(`${container.id}/${ask.proto}/${ask.port}!${index}`, { name, addresses: [] }, ask, []),
          plane: "none",
          why: `${ask.source}: ${why}`,
          state: "refused",
        });
      if (ask.spec.kind === "refused") refuse(ask.spec.why);
      else if ("why" in caller) refuse(caller.why);
      else {
        const notes: string[] = [];
        const backends = backendsOf(ask, caller.addresses, world, notes, all.hostNames);
        const route = routeOf(`${container.id}/${ask.proto}/${ask.port}`, { name, ...caller }, ask, backends);
        all.routes.push(route);
        if (notes.length > 0) all.notes.set(route.id, notes);
      }
    }
  }
  return all;
}

function routeOf(id: string, caller: Route["caller"], ask: Ask, backends: readonly Backend[]): Route {
  return { id, caller, proto: ask.proto, port: ask.port, target: ask.target, backends, needs: {} };
}

/** The caller's addresses, or why it cannot be told apart; undefined while none of its networks is known yet. */
function callerOf(
  container: Container,
  { host, network }: World,
  all: RoutesAsked,
): { addresses: CallerAddress[] } | { why: string } | undefined {
  const mode = container.networkMode;
  if (mode === "host") return { why: "the container is on the host's network and has no address of its own" };
  if (mode.startsWith("container:")) return { why: "the container shares another one's network and address" };
  const addresses: CallerAddress[] = [];
  let why = "the container is on no network";
  let isWaiting = false;
  for (const { ipv4: ip, networkId, gateway, name } of container.networks) {
    if (ip === "") continue;
    const own = host.isLocal(gateway) ? gateway : host.inSubnetOf(ip);
    if (own === "") {
      why = `network ${printable(name)} does not lead through this host (its gateway is not an address of ours)`;
      continue;
    }
    all.networkIds.add(networkId);
    const fact = network(networkId);
    if (!fact) {
      isWaiting = true;
      continue;
    }
    const { internal, isolated } = fact;
    addresses.push({
      ip,
      networkId,
      gateway: own,
      // Newer engines give a container no gateway on a network without a way out.
      ...(internal || gateway === "" ? { internal: true } : {}),
      ...(isolated ? { isolated: true } : {}),
    });
  }
  if (isWaiting) all.waiting = true;
  if (addresses.length > 0) return { addresses };
  return isWaiting ? undefined : { why };
}

function backendsOf(
  { spec, proto }: Ask,
  caller: readonly CallerAddress[],
  world: World,
  notes: string[],
  hostNames: Set<string>,
): Backend[] {
  if (spec.kind === "refused") return [];
  const found = new Map<string, Backend>();
  const add = (id: string, ip: string, port: number, weight: number) => {
    const backend = place({ id, ip, port, weight }, proto, caller, world, notes);
    if (backend && !found.has(`${backend.ip}:${backend.port}`)) found.set(`${backend.ip}:${backend.port}`, backend);
  };
  if (spec.kind === "static")
    for (const endpoint of spec.endpoints) {
      const { host, port } = endpoint;
      const addresses = isIP(host) ? [host] : resolved(endpoint, world, notes, hostNames);
      for (const ip of addresses) add(`${host}:${port}`, ip, port, 1);
    }
  else {
    const instances = world.instances(spec.service);
    if (instances.length === 0) notes.push(`service ${spec.service} has no instances in discovery`);
    for (const instance of instances) {
      const address = splitAddress(instance.addr);
      if (!address) notes.push(`instance ${printable(instance.addr)} is not ip:port`);
      else if ((instance.proto === "udp") === (proto === "udp"))
        add(instance.id, address.host, address.port, weightOf(instance));
      else notes.push(`instance ${printable(instance.addr)} speaks ${printable(instance.proto)}, not ${proto}`);
    }
  }
  return [...found.values()];
}

function resolved({ host, port }: Endpoint, world: World, notes: string[], hostNames: Set<string>): readonly string[] {
  hostNames.add(host);
  const addresses = world.resolve(host);
  if (addresses.length === 0) notes.push(`${host}:${port} is left out: the name has no address (yet)`);
  return addresses;
}

/** The backend as the caller reaches it best; undefined when its container is known to be down. */
function place(
  backend: Omit<Backend, "networkId">,
  proto: string,
  caller: readonly CallerAddress[],
  world: World,
  notes: string[],
): Backend | undefined {
  const local = world.local.find(backend.ip, backend.port, proto);
  if (local.kind === "elsewhere") return backend;
  if (local.kind === "down") {
    notes.push(`${backend.ip}:${backend.port} is left out: ${printable(local.why)}`);
    return undefined;
  }
  const shared = local.addresses.find(({ networkId }) => caller.some((own) => own.networkId === networkId));
  const chosen = shared ?? local.addresses.find(({ ip }) => ip === backend.ip) ?? local.addresses[0];
  return chosen ? { ...backend, ...chosen } : backend;
}

function splitAddress(addr: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(addr);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? 0);
  return isIP(host) && port >= 1 && port <= 65535 ? { host, port } : undefined;
}

/** From the instance's meta `weight`, 0 to 1000; 1 when it says nothing that makes sense. */
function weightOf({ meta }: Instance): number {
  const text = meta?.weight;
  return text !== undefined && /^[0-9]{1,4}$/.test(text) && Number(text) <= 1000 ? Number(text) : 1;
}
