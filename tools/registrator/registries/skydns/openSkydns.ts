import { ExitError } from "../../../../lib/cli/index.ts";
import { etcdEndpoint } from "../etcd/etcdEndpoint.ts";
import { type EtcdApi, etcdKeys, stampPrefix } from "../etcd/etcdKeys.ts";
import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import { readKey, serviceKey } from "../stamped/serviceKey.ts";
import { stampedRegistry } from "../stamped/stampedRegistry.ts";
import { dnsSafe } from "./dnsSafe.ts";
import { readSkydns } from "./readSkydns.ts";

/** Where SkyDNS, and CoreDNS' etcd plugin by default, look. */
const top = "/skydns";

/**
 * `skydns2://[HOST[:PORT],...]/DOMAIN`: /skydns/DOMAIN reversed/NAME/ID is {"host","port"}, which SkyDNS and CoreDNS answer. By the v2 API
 * where the server has it, as the original; else, and always with `skydns3://` and `coredns://`, by v3, with NAME and ID as DNS labels.
 */
export async function openSkydns(
  uri: string,
  api: EtcdApi | "auto",
  options: RegistryOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const scheme = uri.slice(0, uri.indexOf(":"));
  const endpoint = etcdEndpoint(uri, options.compat ? "127.0.0.1:4001" : "127.0.0.1:2379", env);
  if (endpoint.path.length < 2) {
    throw new ExitError(1, `${scheme}: dns domain required e.g.: ${scheme}://<host>/<domain>`);
  }
  const root = [top, ...endpoint.path.slice(1).split(".").reverse()].join("/");
  const keys = etcdKeys(endpoint, root, api, options);
  return {
    registry: stampedRegistry({
      name: "skydns",
      backend: keys.backend,
      stampPrefix,
      ready: (signal) => keys.ready(signal),
      write(service) {
        const safe = keys.api() === "v3" && !options.compat;
        const { name, id } = service;
        const key = serviceKey(safe ? { ...service, name: dnsSafe(name), id: dnsSafe(id) } : service);
        return {
          key: `${root}/${options.compat ? key.replaceAll(" ", "+") : key}`,
          // As Go's %s and %d put it together.
          value: `{"host":"${service.ip}","port":${service.port}}`,
        };
      },
      read: ({ key, value }) => ({ ...readKey(key, root), address: readSkydns(value) }),
    }),
    async ping() {
      const signal = AbortSignal.timeout(5000);
      await keys.ready(signal);
      await keys.backend.ping(signal);
    },
    close: () => keys.close(),
  };
}
