import { readFileSync } from "node:fs";
import type { ZooKeeperOptions } from "../../zookeeper/index.ts";
import { StoreError } from "../storeError.ts";

/** Where and how to reach ZooKeeper. */
export interface ZooKeeperTarget {
  /** For lib/zookeeper. */
  connect: Pick<ZooKeeperOptions, "servers" | "auth" | "tls">;
  /** The znode that everything is kept below: "/..." without a "/" at the end. */
  root: string;
  /** For people: no credentials. */
  url: string;
}

const queries = new Set(["tls", "ca", "cert", "key"]);

/**
 * Reads `zookeeper://[USER:PASSWORD@]HOST[:PORT],HOST2[:PORT],...[/PATH][?tls&ca=FILE&cert=FILE&key=FILE]`; `zookeepers://` is the
 * same with TLS. The port is 2181 unless told, the path `/quayside`. The login is ZooKeeper's digest scheme. What the URL leaves
 * out may come from ZOOKEEPER_USER, ZOOKEEPER_PASSWORD, ZOOKEEPER_CA, ZOOKEEPER_CERT and ZOOKEEPER_KEY.
 *
 * @throws {StoreError} bad_url, which never repeats credentials
 */
export function zooKeeperUrl(url: string, env: Record<string, string | undefined>): ZooKeeperTarget {
  const parts = /^(zookeepers?):\/\/(?:([^@/?]*)@)?([^@/?]*)(\/[^?]*)?(?:\?(.*))?$/is.exec(url);
  if (!parts) throw bad("is not zookeeper://[USER:PASSWORD@]HOST[:PORT],...[/PATH]");
  const [, scheme = "", login, hosts = "", path = "", query = ""] = parts;

  const options = new URLSearchParams(query);
  for (const name of options.keys()) {
    if (!queries.has(name)) throw bad(`has an unknown option "${name}"; known are ${[...queries].join(", ")}`);
  }
  const ca = file(options.get("ca") ?? env.ZOOKEEPER_CA, "ca");
  const cert = file(options.get("cert") ?? env.ZOOKEEPER_CERT, "cert");
  const key = file(options.get("key") ?? env.ZOOKEEPER_KEY, "key");
  if ((cert === undefined) !== (key === undefined)) throw bad("needs both cert and key, or neither");
  const secure =
    scheme.toLowerCase() === "zookeepers" || !["false", null].includes(options.get("tls")) || options.has("ca");

  const servers = hosts.split(",").map(hostAndPort);
  const root = decode(path).replace(/\/+$/, "") || "/quayside";
  const names = root.slice(1).split("/");
  if (names.some((name) => ["", ".", ".."].includes(name)) || [...root].some(isRefused)) {
    throw bad("has a path that ZooKeeper does not take");
  }
  if (names[0] === "zookeeper") throw bad("has a path below /zookeeper, which is ZooKeeper's own");

  const connect: ZooKeeperTarget["connect"] = { servers };
  if (secure) connect.tls = { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
  const [name = "", ...password] = (login ?? "").split(":");
  const user = login === undefined ? env.ZOOKEEPER_USER : decode(name);
  if (user?.includes(":")) throw bad('has a ":" in the user\'s name, which digest does not take');
  if (user) {
    const secret = login === undefined ? (env.ZOOKEEPER_PASSWORD ?? "") : decode(password.join(":"));
    connect.auth = { scheme: "digest", credentials: `${user}:${secret}` };
  }
  return { connect, root, url: `${secure ? "zookeepers" : "zookeeper"}://${servers.join(",")}${root}` };
}

function hostAndPort(text: string): string {
  const [, host = "", port = "2181"] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (host === "") throw bad(`has a bad host "${text}"`);
  if (Number(port) < 1 || Number(port) > 65_535) throw bad(`has a bad port "${port}"`);
  return `${host.toLowerCase()}:${Number(port)}`;
}

/** What ZooKeeper takes in no path: control characters, and what UTF-16 has no single unit for. */
function isRefused(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0xd800 && code < 0xf900) || code >= 0xfff0;
}

function file(path: string | undefined, option: string): string | undefined {
  if (path === undefined || path === "") return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new StoreError("bad_url", `the ZooKeeper ${option} file ${path} cannot be read`, { cause: error });
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad("has a broken percent escape");
  }
}

const bad = (what: string) => new StoreError("bad_url", `the ZooKeeper URL ${what}`);
