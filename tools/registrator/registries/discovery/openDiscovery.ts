import { createDiscoveryClient } from "../../../../lib/discovery/client/createDiscoveryClient.ts";
import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import { discoveryRegistry } from "./discoveryRegistry.ts";

/**
 * `discoverd://[HOST[:PORT]]`: a daemon's HTTP API, by default at 127.0.0.1:1111. The bearer token comes from DISCOVERD_TOKEN, never
 * from the URI, which stands in `ps`.
 */
export async function openDiscovery(uri: URL, options: RegistryOptions): Promise<OpenRegistry> {
  const host = uri.host === "" ? "127.0.0.1:1111" : uri.port === "" ? `${uri.host}:1111` : uri.host;
  const discovery = createDiscoveryClient({
    url: `http://${host}`,
    token: process.env.DISCOVERD_TOKEN,
    log: options.log,
  });
  const { ttl, ttlRefresh } = options;
  return {
    registry: discoveryRegistry({
      discovery,
      name: "discoverd",
      ...(ttl > 0 ? { ttlMs: ttl * 1000, heartbeatMs: ttlRefresh * 1000 } : {}),
    }),
    async ping() {
      await discovery.services();
    },
    close: () => discovery.close(),
  };
}
