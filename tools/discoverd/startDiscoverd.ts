import type { Logger } from "../../lib/cli/logger.ts";
import { version } from "../../lib/cli/version.ts";
import type { DaemonInfo } from "../../lib/discovery/engine/daemonsWith.ts";
import type { Engine } from "../../lib/discovery/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../lib/discovery/engine/openEngine.ts";
import type { Api } from "../../lib/http/createApi.ts";
import { ofLast } from "../../lib/runtime/ofLast.ts";
import { serveHttp } from "../../lib/runtime/serveHttp.ts";
import { openStore } from "../../lib/store/openStore.ts";
import type { Store } from "../../lib/store/store.ts";
import { createDiscoverdApi } from "./api/createDiscoverdApi.ts";
import { addCheckPaths } from "./checks/addCheckPaths.ts";
import { runChecks } from "./checks/runChecks.ts";
import { settleMemory } from "./settleMemory.ts";

export interface DiscoverdOptions {
  /** A store's URL (see openStore), or one that is open: then it stays the caller's to close. */
  store: string | Store;
  /** Where the API listens; port 0 lets the system choose. */
  listen: { hostname: string; port: number };
  /** Where DNS listens, UDP and TCP. Default: no DNS. */
  dns?: { hostname: string; port: number } | undefined;
  /** Name servers for other names than ours. Default none: such names are refused. */
  upstreams?: readonly string[];
  /** Of DNS answers, in seconds. Default 0. */
  dnsTtl?: number;
  /** How long "there is none" may be kept, in seconds. Default 0. */
  dnsNegativeTtl?: number;
  /** This daemon's name as a Consul agent; no two on one store may share it. Default: the host's name. */
  consulNode?: string | undefined;
  log: Logger;
  /** Bearer token for the API. */
  token?: string | undefined;
  /** PEM texts: the API is served by TLS; with `ca` to clients that show a certificate of it only. */
  tls?: { cert: string; key: string; ca?: string } | undefined;
  allowedHosts?: readonly string[];
  /** host:port at which others reach this daemon. Default: the address that it listens on, or the host's name for all. */
  advertise?: string | undefined;
  /** TTLs, brake and so on. */
  engine?: Omit<EngineOptions, "log" | "address">;
  /** Whether health checks may run commands here, and programs in containers. Default false. */
  scriptChecks?: boolean;
  /** Makes POST /shutdown possible. */
  onShutdown?: () => void;
}

export interface Discoverd {
  discovery: Engine;
  /** http://HOST:PORT */
  url: string;
  /** host:port, when DNS is served. */
  dnsAddress?: string;
  /** Stops accepting, ends streams, closes the engine, then what was opened here. */
  close(): Promise<void>;
}

/**
 * Runs a discoverd in this process. The port is taken before the store is touched, and answers 503 until the engine is there.
 * @throws {Error} with `code` "EADDRINUSE" or "EACCES" (API, DNS); {StoreError} when an embedded store cannot be opened.
 *
 * @example
 * const discoverd = await startDiscoverd({ store: "memory:", listen: { hostname: "127.0.0.1", port: 1111 }, log });
 * await discoverd.close();
 */
export async function startDiscoverd(options: DiscoverdOptions): Promise<Discoverd> {
  const { log, listen } = options;
  const ending = new AbortController();
  /** In the order in which they run at the end: the API first, the store last. */
  const undo: (() => unknown)[] = [];
  const close = async () => {
    ending.abort();
    for (const step of undo.splice(0)) await step();
  };
  try {
    let api: Api | undefined;
    const server = await serveHttp(
      { ...listen, ...(options.tls ? { tls: options.tls } : {}), maxBodyBytes: 1 << 26 },
      (request, info) => (api ? api.fetch(request, info) : starting()),
    );
    undo.push(() => server.stop(1000));
    const store =
      typeof options.store === "string" ? await openStore(options.store, { log: log.child("store") }) : options.store;
    const closeStore = async () => {
      if (typeof options.store === "string") await store.close();
    };
    const address = options.advertise ?? `${await advertised(listen.hostname)}:${server.port}`;
    const addressesOf = ofLast((daemons: readonly DaemonInfo[]) => daemons.map((one) => one.address).filter(Boolean));
    const discovery = await openEngine(store, { ...options.engine, address, log: log.child("engine") });
    undo.push(() => discovery.close(), closeStore);
    settleMemory(() => discovery.status().instances + discovery.watchers, ending.signal);
    api = createDiscoverdApi(discovery, {
      version,
      bind: listen.hostname,
      token: options.token,
      ...(options.allowedHosts ? { allowedHosts: options.allowedHosts } : {}),
      log: log.child("http"),
      peers: () => addressesOf(discovery.daemons()),
      address: () => address,
      node: options.consulNode,
      watchers: () => discovery.watchers,
      ...(options.onShutdown ? { onShutdown: options.onShutdown } : {}),
      signal: ending.signal,
    });
    const checks = runChecks(store, discovery, options, ending.signal);
    undo.unshift(checks.done);
    addCheckPaths(api, checks.keeper);
    const { url } = server;
    if (!options.dns) return { discovery, url, close };
    const { serveDiscoveryDns } = await import("./dns/serveDiscoveryDns.ts");
    const dns = await serveDiscoveryDns({
      reader: discovery,
      listen: [options.dns],
      ttl: options.dnsTtl,
      negativeTtl: options.dnsNegativeTtl,
      ...(options.upstreams ? { upstreams: options.upstreams } : {}),
      log: log.child("dns"),
    });
    undo.unshift(() => dns.close());
    const [at] = dns.addresses;
    return { discovery, url, close, ...(at ? { dnsAddress: hostPort(at.hostname, at.port) } : {}) };
  } catch (error) {
    await close();
    throw error;
  }
}

function starting(): Response {
  const body = { code: "service_unavailable", message: "discoverd: starting", retry: true };
  return Response.json(body, { status: 503 });
}

async function advertised(host: string): Promise<string> {
  const isAny = host === "0.0.0.0" || host === "::" || host === "[::]" || host === "";
  if (isAny) return (await import("node:os")).hostname();
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
