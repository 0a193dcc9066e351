import type { Instance, Leader } from "../../lib/discovery/index.ts";
import type { ContainersState } from "../../lib/docker/index.ts";
import type { AppliedRoute } from "../ambassadord/index.ts";
import type { RouteStatus, ServiceStatus } from "./meshStatus.ts";

/** How a route looks in the API: addresses instead of structures. */
export function describeRoute({ route, plane, why, state }: AppliedRoute): RouteStatus {
  return {
    caller: route.caller.name,
    proto: route.proto,
    port: route.port,
    target: route.target,
    plane,
    why,
    state,
    backends: route.backends.map(({ ip, port }) => `${ip.includes(":") ? `[${ip}]` : ip}:${port}`),
  };
}

/** A service with the names of the containers behind its instances, where they are this host's. */
export function describeService(
  name: string,
  instances: readonly Instance[],
  leader: Leader | undefined,
  containerAt: ReadonlyMap<string, string>,
): ServiceStatus {
  return {
    name,
    instances: instances.map(({ id, addr, proto }) => {
      const container = containerAt.get(addr.slice(0, addr.lastIndexOf(":")));
      return { addr, proto, leader: leader?.instance.id === id, ...(container ? { container } : {}) };
    }),
  };
}

/** Names of the running containers by address. */
export function containerNames(state: ContainersState | undefined): Map<string, string> {
  const names = new Map<string, string>();
  for (const { name, networks, state: now } of state?.containers.values() ?? []) {
    if (!now.running) continue;
    for (const { ipv4, ipv6 } of networks) {
      if (ipv4) names.set(ipv4, name);
      if (ipv6) names.set(`[${ipv6}]`, name);
    }
  }
  return names;
}
