import { readFileSync } from "node:fs";
import { StoreError } from "../storeError.ts";

/** Where and how to reach Consul. */
export interface ConsulTarget {
  /** `http://host:port`, in the order given. */
  endpoints: string[];
  /** Path of a unix socket, when CONSUL_HTTP_ADDR names one. */
  unix?: string;
  /** Goes before every key: "quayside", "apps/mesh". Never empty, no "/" at either end. */
  prefix: string;
  /** Sent with every request; the token and the password are among them. */
  headers: Record<string, string>;
  tls?: { ca?: string; cert?: string; key?: string; rejectUnauthorized?: boolean };
  /** For people: no credentials. */
  url: string;
}

type Env = Record<string, string | undefined>;

const queries = new Set(["tls", "ca", "cert", "key", "token-file"]);
const defaultPrefix = "quayside";

/**
 * Reads `consul://[HOST[:PORT],HOST2[:PORT],...][/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE&token-file=FILE]`; `consuls://`
 * is the same with TLS. The port is 8500 unless told, 8501 with TLS; the prefix is "quayside".
 *
 * What the URL leaves out comes from the environment, under the names of Consul's own clients
 * (https://developer.hashicorp.com/consul/commands#environment-variables): CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN,
 * CONSUL_HTTP_TOKEN_FILE (which wins over the former, as there), CONSUL_HTTP_AUTH, CONSUL_HTTP_SSL,
 * CONSUL_HTTP_SSL_VERIFY, CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY.
 *
 * @throws {StoreError} bad_url, which never repeats credentials
 * @example consulUrl("consul://10.0.0.1,10.0.0.2/apps/mesh?token-file=/run/secrets/consul", process.env)
 */
export function consulUrl(url: string, env: Env): ConsulTarget {
  const parts = /^(consuls?):\/\/(?:([^/?]*)@)?([^@/?]*)(\/[^?]*)?(?:\?(.*))?$/is.exec(url);
  if (!parts) throw bad("is not consul://[HOST[:PORT],...][/PREFIX]");
  const [, scheme = "", login, hosts = "", path = "", query = ""] = parts;
  if (login !== undefined)
    throw bad("must not hold credentials: use ?token-file=FILE, CONSUL_HTTP_TOKEN or CONSUL_HTTP_AUTH");

  const options = new URLSearchParams(query);
  for (const name of options.keys()) {
    if (!queries.has(name)) throw bad(`has an unknown option; known are ${[...queries].join(", ")}`);
  }
  const address = hosts === "" ? addressOf(env.CONSUL_HTTP_ADDR) : { hosts };
  const asked = scheme.toLowerCase() === "consuls" || options.has("ca") || address.secure === true;
  const secure = asked || isTrue(options.get("tls") ?? (env.CONSUL_HTTP_SSL || null));
  const names = address.hosts.split(",").map((text) => hostAndPort(text, secure ? "8501" : "8500"));
  const prefix = prefixOf(path);
  const target: ConsulTarget = {
    endpoints: names.map((name) => `${secure ? "https" : "http"}://${name}`),
    prefix,
    headers: headersOf(options.get("token-file"), env),
    url: `${secure ? "consuls" : "consul"}://${address.unix ?? names.join(",")}/${prefix}`,
  };
  if (address.unix !== undefined) target.unix = address.unix;
  if (secure) target.tls = tlsOf(options, env);
  return target;
}

function addressOf(text: string | undefined): { hosts: string; unix?: string; secure?: boolean } {
  if (text === undefined || text === "") return { hosts: "127.0.0.1" };
  const [, scheme = "", rest = ""] = /^(?:(http|https|tcp|unix):\/\/)?(.*?)\/*$/is.exec(text) ?? [];
  if (scheme.toLowerCase() === "unix") return { hosts: "localhost", unix: rest };
  return { hosts: rest, ...(scheme.toLowerCase() === "https" ? { secure: true } : {}) };
}

function headersOf(tokenFile: string | null, env: Env): Record<string, string> {
  const headers: Record<string, string> = {};
  const file = tokenFile ?? env.CONSUL_HTTP_TOKEN_FILE;
  const token = (file ? read(file, "token") : env.CONSUL_HTTP_TOKEN)?.trim();
  if (token) {
    if (!/^[\x21-\x7e]+$/.test(token)) throw bad("comes with a token that is not one word of ASCII");
    headers["x-consul-token"] = token;
  }
  if (env.CONSUL_HTTP_AUTH) headers.authorization = `Basic ${Buffer.from(env.CONSUL_HTTP_AUTH).toString("base64")}`;
  return headers;
}

function tlsOf(options: URLSearchParams, env: Env): NonNullable<ConsulTarget["tls"]> {
  const file = (path: string | null | undefined, what: string) => (path ? read(path, what) : undefined);
  const ca = file(options.get("ca") ?? env.CONSUL_CACERT, "ca");
  const cert = file(options.get("cert") ?? env.CONSUL_CLIENT_CERT, "cert");
  const key = file(options.get("key") ?? env.CONSUL_CLIENT_KEY, "key");
  if ((cert === undefined) !== (key === undefined)) throw bad("needs both cert and key, or neither");
  const verify = env.CONSUL_HTTP_SSL_VERIFY;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(verify && !isTrue(verify) ? { rejectUnauthorized: false } : {}),
  };
}

/** As Go's ParseBool, which Consul's clients use; `?tls` without a value is true. */
const isTrue = (text: string | null): boolean => text !== null && /^(1|t|true|)$/i.test(text);

/** Consul cleans what it finds in a path like a file name, so a prefix has to be clean already. */
function prefixOf(path: string): string {
  let prefix: string;
  try {
    prefix = decodeURIComponent(path).replace(/^\/+|\/+$/g, "");
  } catch {
    throw bad("has a broken percent escape");
  }
  if (prefix === "") return defaultPrefix;
  const isClean = prefix.split("/").every((part) => /^[a-z0-9._~-]+$/i.test(part) && !/^\.{1,2}$/.test(part));
  if (!isClean || prefix.length > 200) {
    throw bad('has a bad prefix: up to 200 of letters, digits, ".", "_", "~", "-", in parts divided by "/"');
  }
  return prefix;
}

function hostAndPort(text: string, defaultPort: string): string {
  const [, host = "", port = defaultPort] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === "") throw bad("has a bad host");
  if (Number(port) < 1 || Number(port) > 65_535) throw bad(`has a bad port "${port}"`);
  return `${host.toLowerCase()}:${Number(port)}`;
}

function read(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StoreError("bad_url", `the consul ${what} file ${path} cannot be read`, { cause: error });
  }
}

const bad = (what: string) => new StoreError("bad_url", `the consul URL ${what}`);
