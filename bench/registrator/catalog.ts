import { waitFor } from "../../test/testbed/waitFor.ts";

/** An entry of a Consul agent that a registrator wrote: HOST:CONTAINER:PORT. */
export interface CatalogEntry {
  id: string;
  container: string;
}

export async function entries(consulUrl: string): Promise<CatalogEntry[]> {
  const answer = await fetch(`${consulUrl}/v1/agent/services`, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`Consul: ${answer.status}`);
  return Object.keys((await answer.json()) as object).map((id) => ({ id, container: id.split(":")[1] ?? "" }));
}

/** Takes out all that is there. */
export async function wipe(consulUrl: string): Promise<void> {
  for (const { id } of await entries(consulUrl)) {
    await fetch(`${consulUrl}/v1/agent/service/deregister/${encodeURIComponent(id)}`, { method: "PUT" });
  }
}

/** When each container was first seen in the catalog, in ms since the epoch. */
export interface Sightings {
  /** @throws {WaitTimeout} it was not seen within 10 s */
  of(container: string): Promise<number>;
}

/**
 * Follows a service of the catalog by blocking queries. It asks for plain answers: Consul would compress all entries again for each new
 * one, and what is measured would wait for that. Who waits for a container does nothing meanwhile, for the same reason.
 */
export function followCatalog(consulUrl: string, service: string, signal: AbortSignal): Sightings {
  const seen = new Map<string, PromiseWithResolvers<number>>();
  const sighting = (container: string) => {
    const found = seen.get(container) ?? Promise.withResolvers<number>();
    seen.set(container, found);
    return found;
  };
  const headers = { "accept-encoding": "identity" };
  const follow = async () => {
    for (let index = "1"; !signal.aborted; ) {
      try {
        const answer = await fetch(`${consulUrl}/v1/catalog/service/${service}?index=${index}&wait=60s`, {
          signal,
          headers,
        });
        const at = performance.timeOrigin + performance.now();
        for (const { ServiceID } of (await answer.json()) as { ServiceID: string }[]) {
          sighting(ServiceID.split(":")[1] ?? "").resolve(at);
        }
        index = answer.headers.get("x-consul-index") ?? "1";
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  };
  follow().catch((error: unknown) => console.error("the catalog is no longer followed", error));
  return {
    // It looks once: that look lasts until the container is seen.
    of: (container) => waitFor(() => sighting(container).promise, { what: `${container} in the catalog` }),
  };
}

/** Counts what passes: a Consul that says how often it is written to. */
export function countingProxy(consulUrl: string): { uri: string; writes: () => number; stop: () => void } {
  let writes = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 255,
    async fetch(request) {
      if (request.method !== "GET") writes++;
      const { pathname, search } = new URL(request.url);
      const body = request.method === "GET" ? null : await request.arrayBuffer();
      const answer = await fetch(`${consulUrl}${pathname}${search}`, {
        method: request.method,
        body,
        headers: { "content-type": request.headers.get("content-type") ?? "application/json" },
        signal: request.signal,
      });
      const headers = new Headers(answer.headers);
      headers.delete("content-encoding");
      headers.delete("content-length");
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers });
    },
  });
  return { uri: `consul://127.0.0.1:${server.port}`, writes: () => writes, stop: () => void server.stop(true) };
}
