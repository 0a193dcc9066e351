import { ExitError } from "../../../../lib/cli/index.ts";
import { type EtcdTarget, etcdUrl } from "../../../../lib/store/etcd/etcdUrl.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";

export interface EtcdEndpoint {
  target: EtcdTarget;
  /** What lib/store opens: without the path. */
  storeUrl: string;
  /** "" or "/..." without a "/" at the end. */
  path: string;
}

/** The queries that speak of the connection; others speak of this registry's services. */
const connection = ["tls", "ca", "cert", "key"];

/**
 * Reads `SCHEME://[USER:PASSWORD@][HOST[:PORT],HOST2...][/PATH][?tls&ca=FILE&cert=FILE&key=FILE]`, and ETCD_USER, ETCD_PASSWORD, ETCD_CA,
 * ETCD_CERT, ETCD_KEY.
 * @throws {ExitError} code 1
 */
export function etcdEndpoint(
  uri: string,
  defaultHost: string,
  env: Readonly<Record<string, string | undefined>>,
): EtcdEndpoint {
  const parts = /^([a-z0-9+.-]+):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?/i.exec(uri);
  const [, scheme = "", authority = "", path = "", query = ""] = parts ?? [];
  const at = authority.lastIndexOf("@") + 1;
  const hosts = authority.slice(at) || defaultHost;
  const options = new URLSearchParams(query);
  const kept = new URLSearchParams([...options].filter(([name]) => connection.includes(name)));
  if (/^(etcd3?s|skydns[23]-tls|coredns-tls)$/i.test(scheme)) kept.set("tls", "");
  const base = `etcd://${authority.slice(0, at)}${hosts}`;
  const tail = kept.size > 0 ? `?${kept}` : "";
  try {
    const target = etcdUrl(`${base}${path === "" || path.startsWith("/") ? path : `/${path}`}${tail}`, { ...env });
    return { target: { ...target, prefix: "" }, storeUrl: `${base}${tail}`, path: target.prefix };
  } catch (error) {
    if (error instanceof StoreError) throw new ExitError(1, `bad adapter uri: ${error.message}`, { cause: error });
    throw error;
  }
}
