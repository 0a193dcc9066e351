import type { Backend, Route } from "../../../tools/ambassadord/planes/plane.ts";

/** A route for tests; everything may be said otherwise. */
export function routeOf(change: Partial<Route> & { from?: string } = {}): Route {
  const { from = "10.213.7.11", ...rest } = change;
  const port = rest.port ?? 80;
  return {
    id: `${from}/tcp/${port}`,
    caller: { name: from, addresses: [{ ip: from, networkId: "net1", gateway: "10.213.7.1" }] },
    proto: "tcp",
    port,
    target: "web",
    backends: [],
    needs: {},
    ...rest,
  };
}

export function backendOf(ip: string, port: number, change: Partial<Backend> = {}): Backend {
  return { id: `${ip}:${port}`, ip, port, weight: 1, networkId: "net1", ...change };
}
