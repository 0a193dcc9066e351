import type { Store } from "./store.ts";
import { StoreError } from "./storeError.ts";

/** What a store writes its warnings to; lib/cli's Logger fits. */
export interface StoreLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface StoreOptions {
  log?: StoreLog;
  /** Where credentials may come from instead of the URL. Default `process.env`. */
  env?: Record<string, string | undefined>;
}

type Open = (url: string, options: StoreOptions) => Promise<Store>;

const etcd: Open = async (url, options) => (await import("./etcd/openEtcd.ts")).openEtcd(url, options);
const consul: Open = async (url, options) => (await import("./consul/openConsul.ts")).openConsul(url, options);
const sqlite: Open = async (url, options) => (await import("./sqlite/openSqlite.ts")).openSqlite(url, options);

const zooKeeper: Open = async (url, options) =>
  (await import("./zookeeper/openZooKeeper.ts")).openZooKeeper(url, options);

/** One line and one folder a store. */
const schemes = new Map<string, Open>([
  ["sqlite", sqlite],
  ["memory", sqlite],
  ["etcd", etcd],
  ["etcds", etcd],
  ["consul", consul],
  ["consuls", consul],
  ["zookeeper", zooKeeper],
  ["zookeepers", zooKeeper],
]);

/**
 * Opens the store that a URL names; only that store's code is loaded.
 *
 * - `sqlite:FILE[?synchronous=normal]`: embedded; one process at a time. Fails at once when the file cannot be used.
 * - `memory:`: the same, gone with the process.
 * - `etcd://[USER:PASSWORD@]HOST[:PORT],HOST2,...[/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE]`, or `etcds://` for TLS: also
 *   from ETCD_USER, ETCD_PASSWORD, ETCD_CA, ETCD_CERT, ETCD_KEY. Does not wait for the servers: see `status()`.
 * - `consul://[HOST[:PORT],HOST2,...][/PREFIX][?tls&ca=FILE&cert=FILE&key=FILE&token-file=FILE]`, or `consuls://` for TLS:
 *   also from CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN and what else Consul's clients read. Does not wait for the agents.
 * - `zookeeper://[USER:PASSWORD@]HOST[:PORT],HOST2,...[/PATH][?tls&ca=FILE&cert=FILE&key=FILE]`, or `zookeepers://` for TLS:
 *   also from ZOOKEEPER_USER, ZOOKEEPER_PASSWORD, ZOOKEEPER_CA, ZOOKEEPER_CERT, ZOOKEEPER_KEY. Does not wait for the servers.
 *
 * @throws {StoreError} bad_url (never repeating credentials); for sqlite also in_use, unauthorized, corrupt, unavailable
 * @example
 * const store = await openStore("sqlite:/var/lib/discoverd/state.db", { log });
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  const open = scheme === undefined ? undefined : schemes.get(scheme);
  if (open) return await open(url, options);
  const accepted = [...schemes.keys()].map((name) => `${name}:`).join(", ");
  const what = scheme === undefined ? "has no scheme" : `has an unknown scheme "${scheme}:"`;
  throw new StoreError("bad_url", `the store's URL ${what}; accepted are ${accepted}`);
}
