import { readFileSync } from "node:fs";
import { StoreError } from "../storeError.ts";

/** Where and how to reach etcd. */
export interface EtcdTarget {
  /** `http://host:port`, in the order given. */
  endpoints: string[];
  /** Goes before every key. "" or "/..." without a "/" at the end. */
  prefix: string;
  user?: { name: string; password: string };
  tls?: { ca?: string; cert?: string; key?: string };
  /** For people: no credentials. */
  url: string;
}

const queries = new Set(["tls", "ca", "cert", "key"]);

/**
 * Reads `etcd://[USER:PASSWORD@]HOST[:PORT],HOST2[:PORT],...[/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE]`; `etcds://` is
 * the same with TLS. The port is 2379 unless told. What the URL leaves out may come from ETCD_USER, ETCD_PASSWORD,
 * ETCD_CA, ETCD_CERT and ETCD_KEY.
 *
 * @throws {StoreError} bad_url, which never repeats credentials
 */
export function etcdUrl(url: string, env: Record<string, string | undefined>): EtcdTarget {
  const parts = /^(etcds?):\/\/(?:([^@/?]*)@)?([^@/?]*)(\/[^?]*)?(?:\?(.*))?$/is.exec(url);
  if (!parts) throw bad("is not etcd://[USER:PASSWORD@]HOST[:PORT],...[/PREFIX]");
  const [, scheme = "", login, hosts = "", path = "", query = ""] = parts;

  const options = new URLSearchParams(query);
  for (const name of options.keys()) {
    if (!queries.has(name)) throw bad(`has an unknown option "${name}"; known are ${[...queries].join(", ")}`);
  }
  const ca = file(options.get("ca") ?? env.ETCD_CA, "ca");
  const cert = file(options.get("cert") ?? env.ETCD_CERT, "cert");
  const key = file(options.get("key") ?? env.ETCD_KEY, "key");
  if ((cert === undefined) !== (key === undefined)) throw bad("needs both cert and key, or neither");
  const secure = scheme.toLowerCase() === "etcds" || !["false", null].includes(options.get("tls")) || options.has("ca");

  const names = hosts.split(",").map(hostAndPort);
  const prefix = decode(path).replace(/\/+$/, "");
  const target: EtcdTarget = {
    endpoints: names.map((name) => `${secure ? "https" : "http"}://${name}`),
    prefix,
    url: `${secure ? "etcds" : "etcd"}://${names.join(",")}${prefix}`,
  };
  if (secure) {
    target.tls = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key ? { key } : {}),
    };
  }
  const [name = "", ...password] = (login ?? "").split(":");
  const user = login === undefined ? env.ETCD_USER : decode(name);
  if (user) {
    target.user = {
      name: user,
      password: login === undefined ? (env.ETCD_PASSWORD ?? "") : decode(password.join(":")),
    };
  }
  return target;
}

function hostAndPort(text: string): string {
  const [, host = "", port = "2379"] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === "") throw bad(`has a bad host "${text}"`);
  if (Number(port) < 1 || Number(port) > 65_535) throw bad(`has a bad port "${port}"`);
  return `${host.toLowerCase()}:${Number(port)}`;
}

function file(path: string | undefined, option: string): string | undefined {
  if (path === undefined || path === "") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StoreError("bad_url", `the etcd ${option} file ${path} cannot be read`, { cause: error });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad("has a broken percent escape");
  }
}

const bad = (what: string) => new StoreError("bad_url", `the etcd URL ${what}`);
