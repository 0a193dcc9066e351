import { ExitError, type Logger } from "../../../lib/cli/index.ts";
import type { Registry } from "./registry.ts";

export interface RegistryOptions {
  /** Seconds, `-ttl` and `-ttl-refresh`; 0: the registry's own habit. */
  ttl: number;
  ttlRefresh: number;
  /** Exactly as the original. Default false. */
  compat?: boolean;
  log: Logger;
}

export interface OpenRegistry {
  registry: Registry;
  /** Whether it answers. @throws what it says instead */
  ping(): Promise<void>;
  close(): Promise<void>;
}

type Open = (uri: string, options: RegistryOptions) => Promise<OpenRegistry>;

const consul: Open = async (uri, options) => (await import("./consul/openConsul.ts")).openConsul(uri, options);
const consulkv: Open = async (uri, options) => (await import("./consulkv/openConsulKv.ts")).openConsulKv(uri, options);
const etcd =
  (api: "auto" | "v2" | "v3"): Open =>
  async (uri, options) =>
    (await import("./etcd/openEtcd.ts")).openEtcd(uri, api, options);
const skydns =
  (api: "auto" | "v3"): Open =>
  async (uri, options) =>
    (await import("./skydns/openSkydns.ts")).openSkydns(uri, api, options);
const zookeeper: Open = async (uri, options) =>
  (await import("./zookeeper/openZooKeeper.ts")).openZooKeeper(uri, options);

/** One line a kind of registry; its code is loaded when its scheme is used. */
const schemes: Readonly<Record<string, Open>> = {
  discoverd: async (uri, options) => (await import("./discovery/openDiscovery.ts")).openDiscovery(asUrl(uri), options),
  consul,
  "consul-tls": consul,
  "consul-unix": consul,
  consulkv,
  "consulkv-tls": consulkv,
  "consulkv-unix": consulkv,
  etcd: etcd("auto"),
  etcds: etcd("auto"),
  etcd2: etcd("v2"),
  etcd3: etcd("v3"),
  etcd3s: etcd("v3"),
  skydns2: skydns("auto"),
  "skydns2-tls": skydns("auto"),
  skydns3: skydns("v3"),
  "skydns3-tls": skydns("v3"),
  coredns: skydns("v3"),
  "coredns-tls": skydns("v3"),
  zookeeper,
};

/**
 * The registry that a URI names.
 * @throws {ExitError} code 1, with the original's messages
 *
 * @example
 * await openRegistry("discoverd://127.0.0.1:1111", { ttl: 0, ttlRefresh: 0, log });
 */
export async function openRegistry(text: string, options: RegistryOptions): Promise<OpenRegistry> {
  // Go takes a URI without a scheme; its scheme is then "", which no adapter has.
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) throw new ExitError(1, `unrecognized adapter: ${text}`);
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  if (!open) throw new ExitError(1, `unrecognized adapter: ${text}`);
  return await open(text, options);
}

/** @throws {ExitError} code 1 */
function asUrl(text: string): URL {
  if (!URL.canParse(text)) throw new ExitError(1, `bad adapter uri: ${text}`);
  return new URL(text);
}
