import type { Context, ListenAddress } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { bindPolicy } from "../../../lib/http/bindPolicy.ts";
import { readTokenFile } from "../../../lib/http/readTokenFile.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { type Discoverd, startDiscoverd } from "../startDiscoverd.ts";

export interface ServeValues {
  listen: ListenAddress;
  store: string;
  dns: ListenAddress | undefined;
  upstream: readonly string[] | undefined;
  /** ms; DNS has whole seconds. */
  dnsTtl?: number;
  dnsNegativeTtl?: number;
  consulNode?: string | undefined;
  tokenFile: string | undefined;
  insecure: boolean;
  advertise: string | undefined;
  ttl: number;
  /** Percent. */
  brakeShare?: number;
  tlsCert?: string | undefined;
  tlsKey?: string | undefined;
  tlsClientCa?: string | undefined;
  scriptChecks: boolean;
}

/** Runs the daemon until SIGINT or SIGTERM, or until someone asks for its end by POST /shutdown. */
export async function serve(context: Context, values: ServeValues): Promise<void> {
  const { log, signal } = context;
  const token = values.tokenFile === undefined ? undefined : await readTokenFile(values.tokenFile);
  const tls = await readTls(values);
  const mutualTls = values.tlsClientCa !== undefined;
  const refusal = bindPolicy(values.listen, { token, mutualTls, insecure: values.insecure });
  if (refusal) throw new UsageError(`--listen ${refusal}`);

  const ended = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  let shutDown: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    shutDown = resolve;
  });
  const discoverd = await start(values, { log, token, tls, onShutdown: () => shutDown() });
  const { ready, reason } = discoverd.discovery.status();
  log.info("discoverd is ready", {
    api: discoverd.url,
    dns: discoverd.dnsAddress ?? "off",
    store: withoutCredentials(values.store),
    ...(ready ? {} : { waiting: reason ?? "for the store" }),
  });
  if (!signal.aborted) await Promise.race([ended, asked]);
  log.info("discoverd stops");
  await discoverd.close();
}

async function start(
  values: ServeValues,
  rest: { log: Context["log"]; token: string | undefined; tls: Tls | undefined; onShutdown: () => void },
): Promise<Discoverd> {
  const {
    listen,
    store,
    dns,
    upstream,
    advertise,
    ttl,
    scriptChecks,
    dnsTtl = 0,
    dnsNegativeTtl = 0,
    consulNode,
  } = values;
  try {
    return await startDiscoverd({
      listen,
      store,
      dns,
      dnsTtl: Math.ceil(dnsTtl / 1000),
      dnsNegativeTtl: Math.ceil(dnsNegativeTtl / 1000),
      consulNode,
      advertise,
      scriptChecks,
      ...(upstream ? { upstreams: upstream } : {}),
      engine: { ttlMs: ttl, ...(values.brakeShare === undefined ? {} : { brakeShare: values.brakeShare / 100 }) },
      ...rest,
    });
  } catch (error) {
    if (error instanceof StoreError && error.code === "bad_url") throw new UsageError(`--store: ${error.message}`);
    if (isInUse(error)) {
      const places = [listen, ...(dns ? [dns] : [])].map(({ hostname, port }) => `${hostname}:${port}`).join(" or ");
      throw new Error(`${places} is in use: is a discoverd running there already?`, { cause: error });
    }
    throw error;
  }
}

interface Tls {
  cert: string;
  key: string;
  ca?: string;
}

async function readTls({ tlsCert, tlsKey, tlsClientCa }: ServeValues): Promise<Tls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw new UsageError("TLS needs both --tls-cert and --tls-key");
  const { readFile } = await import("node:fs/promises");
  const [cert, key, ca] = await Promise.all([
    readFile(tlsCert, "utf8"),
    readFile(tlsKey, "utf8"),
    tlsClientCa === undefined ? undefined : readFile(tlsClientCa, "utf8"),
  ]);
  return { cert, key, ...(ca === undefined ? {} : { ca }) };
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}
