import { ExitError } from "../../../../lib/cli/index.ts";
import { type ConsulTarget, consulUrl } from "../../../../lib/store/consul/consulUrl.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";

/** The queries that speak of the connection; others speak of this registry's services. */
const connection = ["tls", "ca", "cert", "key", "token-file"];

/**
 * Where the agents are that a `consul`, `consul-tls`, `consulkv`, `consulkv-tls` URI names, with the token, login and certificates that
 * Consul's own variables tell; the original's `CONSUL_HTTP_SSL_VERIFY`, `CONSUL_CAPATH` and `CONSUL_TLS_SERVER_NAME` as far as fetch can.
 * @throws {ExitError} code 1
 */
export function consulTarget(uri: string, env: Readonly<Record<string, string | undefined>>): ConsulTarget {
  const [, scheme = "", hosts = "", query = ""] =
    /^([a-z0-9-]+):(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?/i.exec(uri) ?? [];
  const kept = new URLSearchParams([...new URLSearchParams(query)].filter(([name]) => connection.includes(name)));
  const tls = /-tls$/i.test(scheme);
  const port = (host: string) => (/:\d+$/.test(host) || host === "" ? host : `${host}:8500`);
  const spelled = hosts
    .slice(hosts.lastIndexOf("@") + 1)
    .split(",")
    .map(port)
    .join(",");
  try {
    return consulUrl(`${tls ? "consuls" : "consul"}://${spelled}${kept.size > 0 ? `?${kept}` : ""}`, { ...env });
  } catch (error) {
    if (error instanceof StoreError) throw new ExitError(1, `bad adapter uri: ${error.message}`, { cause: error });
    throw error;
  }
}

/** The same by a unix socket. @throws {ExitError} code 1 */
export function consulSocket(path: string, env: Readonly<Record<string, string | undefined>>): ConsulTarget {
  const { tls: _tls, ...target } = consulTarget("consul://127.0.0.1:8500", { ...env, CONSUL_HTTP_SSL: undefined });
  return { ...target, unix: path, url: `unix://${path}` };
}
