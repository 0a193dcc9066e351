import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import { joinHostPort, readKey, serviceKey } from "../stamped/serviceKey.ts";
import { stampedRegistry } from "../stamped/stampedRegistry.ts";
import { etcdEndpoint } from "./etcdEndpoint.ts";
import { type EtcdApi, etcdKeys, stampPrefix } from "./etcdKeys.ts";

/**
 * `etcd://[HOST[:PORT],...][/PREFIX]`: PREFIX/NAME/ID is IP:PORT. By the v2 API where the server has it; `etcd2://` and `etcd3://` name one.
 */
export async function openEtcd(
  uri: string,
  api: EtcdApi | "auto",
  options: RegistryOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const endpoint = etcdEndpoint(uri, "127.0.0.1:2379", env);
  const root = endpoint.path;
  const keys = etcdKeys(endpoint, root, api, options);
  // The original's client wrote a space as a plus, which etcd took for one.
  const spelled = (key: string) => (options.compat ? key.replaceAll(" ", "+") : key);
  return {
    registry: stampedRegistry({
      name: "etcd",
      backend: keys.backend,
      stampPrefix,
      ready: (signal) => keys.ready(signal),
      write: (service) => ({
        key: `${root}/${spelled(serviceKey(service))}`,
        value: joinHostPort(service.ip, service.port),
      }),
      read: ({ key, value }) => ({ ...readKey(key, root), address: value }),
    }),
    async ping() {
      const signal = AbortSignal.timeout(5000);
      await keys.ready(signal);
      await keys.backend.ping(signal);
    },
    close: () => keys.close(),
  };
}
