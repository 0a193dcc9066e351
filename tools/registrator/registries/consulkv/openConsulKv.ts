import { ExitError } from "../../../../lib/cli/index.ts";
import { ConsulClient } from "../../../../lib/store/consul/consulClient.ts";
import { consulSocket, consulTarget } from "../consul/consulTarget.ts";
import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import { joinHostPort, readKey, serviceKey } from "../stamped/serviceKey.ts";
import { stampedRegistry } from "../stamped/stampedRegistry.ts";
import { consulKvBackend } from "./consulKvBackend.ts";

/** Stamps lie below it, beside the entries' prefix. */
const stampPrefix = "_registrator/";

/**
 * `consulkv://[HOST[:PORT],...]/PREFIX`, `consulkv-tls://`, `consulkv-unix://SOCKET:/PREFIX`: PREFIX/NAME/ID is IP:PORT in Consul's KV store.
 * @throws {ExitError} code 1
 */
export async function openConsulKv(
  uri: string,
  { log }: RegistryOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const isSocket = /^consulkv-unix:/i.test(uri);
  const [, socket = "", below = ""] = isSocket ? (/^[^:]+:(?:\/\/)?([^:?#]*):?([^?#]*)/.exec(uri) ?? []) : [];
  const path = isSocket ? below : (/^[^:]+:(?:\/\/[^/?#]*)?([^?#]*)/.exec(uri)?.[1] ?? "");
  const root = path.replace(/^\/+|\/+$/g, "");
  if (root === "") throw new ExitError(1, "consulkv: prefix required e.g.: consulkv://<host>/<prefix>");
  const client = new ConsulClient(isSocket ? consulSocket(socket, env) : consulTarget(uri, env), log, 5000);
  const backend = consulKvBackend({ client, prefixes: [`${stampPrefix}${root}/`, `${root}/`] });
  return {
    registry: stampedRegistry({
      name: "consulkv",
      backend,
      stampPrefix,
      write: (service) => ({ key: `${root}/${serviceKey(service)}`, value: joinHostPort(service.ip, service.port) }),
      read: ({ key, value }) => ({ ...readKey(key, root), address: value }),
    }),
    ping: () => backend.ping(AbortSignal.timeout(5000)),
    close: async () => client.close(),
  };
}
