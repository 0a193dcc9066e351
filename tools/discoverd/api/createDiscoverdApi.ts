import type { Context } from "hono";
import type { Discovery, EventKind, Instance, InstanceQuery } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import { validateInstance } from "../../../lib/discovery/validateInstance.ts";
import { validateService } from "../../../lib/discovery/validateService.ts";
import { type Api, type ApiEnv, type ApiLog, createApi } from "../../../lib/http/createApi.ts";
import { eventStream } from "../../../lib/http/eventStream.ts";
import { lastEventId } from "../../../lib/http/lastEventId.ts";
import type { Metrics } from "../../../lib/http/metrics.ts";
import { Problem } from "../../../lib/http/problem.ts";
import { ofLast } from "../../../lib/runtime/ofLast.ts";
import { addFaces, facesWait } from "../faces/addFaces.ts";
import { addOwnPaths } from "./addOwnPaths.ts";
import { addRaftPaths } from "./addRaftPaths.ts";
import { empty, json } from "./answers.ts";
import { eventFrame } from "./eventFrame.ts";
import { EventSenders, type Followed } from "./eventSenders.ts";
import { readBody } from "./readBody.ts";
import { readInstanceQuery, readLimit, readWait, refuseUnknown } from "./readQuery.ts";

export interface DiscoverdApiOptions {
  version: string;
  /** The address that it will be bound to. Default "127.0.0.1". */
  bind?: string;
  /** Bearer token that clients must show. */
  token?: string | undefined;
  allowedHosts?: readonly string[];
  log?: ApiLog;
  /** Served at /metrics. Default: the registry's own figures, loaded when they are first asked for. */
  metrics?: Metrics;
  /** How many watches are open. Default 0. */
  watchers?: () => number;
  /** Addresses (host:port) of the live daemons on the store, for Discoverd-Peers and /raft/peers; the same array until they change. Default none. */
  peers?: () => readonly string[];
  /** This daemon's own: it expires what reports to it, so /raft/leader names it. Default none. */
  address?: () => string;
  /** This daemon's name as a Consul agent; no two on one store may share it. Default: the host's name. */
  node?: string | undefined;
  /** Makes POST /shutdown possible: called once, after the answer is under way. */
  onShutdown?: () => void;
  /** Ends all streams. */
  signal?: AbortSignal;
  /** What else /readyz depends on, where more than discovery runs behind this API. */
  alsoReady?: () => { ok: boolean; reason?: string | undefined };
}

type C = Context<ApiEnv>;

const noPeers: readonly string[] = [];

/** Loaded with the first body: making schemas is a fifth of a daemon's start. */
const schemas = () => import("./schemas.ts");

/**
 * The original's HTTP API, paths, bodies and messages as they were, over any Discovery; and what was added: GET /services,
 * /status, `id:` and Last-Event-ID on streams, `?fencing` and `?ttl_ms=`, Discoverd-Stale. Everything is in its /openapi.json.
 *
 * @example
 * const api = createDiscoverdApi(engine, { version, peers: () => ["10.0.0.1:1111"] });
 * const server = await serveApi(api, { port: 1111 });
 */
export function createDiscoverdApi(discovery: Discovery, options: DiscoverdApiOptions): Api {
  const { version, peers = () => noPeers, address = () => "" } = options;
  const joined = ofLast((all: readonly string[]) => all.join(","));
  let isShuttingDown = false;
  const api = createApi({
    name: "discoverd",
    version,
    describe: async (described) => (await import("./describeApi.ts")).describeApi(described),
    description: "Service discovery: services, instances with heartbeats, leaders, metadata, events.",
    ...(options.bind === undefined ? {} : { bind: options.bind }),
    token: options.token,
    openPaths: ["/healthz", "/readyz", "/ping", "/.well-known/status"],
    ...(options.allowedHosts ? { allowedHosts: options.allowedHosts } : {}),
    ...(options.log ? { log: options.log } : {}),
    ...(options.metrics ? { metrics: options.metrics } : {}),
    untimed: (path) => mayWait(path) || facesWait(path),
    tokenHeader: "x-consul-token",
    ready: async () => {
      const { ready, reason } = await discovery.status();
      if (isShuttingDown) return { ok: false, reason: "shutting down" };
      return ready ? (options.alsoReady?.() ?? { ok: true }) : { ok: false, reason };
    },
  });
  api.use(async (c, next) => {
    if (isShuttingDown) throw new Problem("service_unavailable", "discoverd: shutting down");
    await next();
    const status = discovery.status();
    const { rev, stale, currentAt, brake } = status instanceof Promise ? await status : status;
    const { headers } = c.res;
    if (brake > 0) headers.set("Discoverd-Brake", String(brake));
    headers.set("Discoverd-Peers", joined(peers()));
    headers.set("Discoverd-Index", String(rev));
    if (stale) headers.set("Discoverd-Stale", String(Math.max(0, Math.round((Date.now() - currentAt) / 1000))));
  });

  const senders = isFollowed(discovery) ? new EventSenders(discovery, options.signal) : undefined;
  const stream = async (c: C, service: string | undefined, kinds?: readonly EventKind[]): Promise<Response> => {
    const { raw } = c.req;
    const { ready } = await discovery.status();
    const from = Number(lastEventId(raw) ?? Number.NaN);
    const { searchParams } = new URL(raw.url);
    const withToken = searchParams.has("fencing");
    const filter: InstanceQuery = readInstanceQuery(searchParams, service === undefined);
    const resumed = Number.isSafeInteger(from) && from > 0;
    if (senders) {
      return senders.response(service, {
        withToken,
        hasOpening: !ready || resumed,
        ...(kinds ? { kinds } : {}),
        ...(Object.keys(filter).length > 0 ? { filter } : {}),
        ...(resumed ? { from } : {}),
      });
    }
    const leaving = new AbortController();
    const signal = AbortSignal.any([leaving.signal, ...(options.signal ? [options.signal] : [])]);
    const events = discovery.watch(service, {
      signal,
      ...(kinds ? { kinds } : {}),
      ...(Object.keys(filter).length > 0 ? { filter } : {}),
      ...(resumed ? { from } : {}),
    });
    raw.signal.addEventListener("abort", () => leaving.abort(), { once: true });
    // Where no event comes at once (nothing missed, or nothing known yet), a comment brings the head to the client.
    const opening = ready && Number.isNaN(from) ? "" : ":\n\n";
    return eventStream(events, { signal, opening, format: (event) => eventFrame(event, withToken) });
  };
  const wantsStream = (c: C) => c.req.header("accept")?.includes("text/event-stream") ?? false;

  /** Waits as ?index= and ?wait= say; then what the answer tells of the service's index. */
  const waited = async (c: C, service: string | undefined, isThere: () => unknown): Promise<Record<string, string>> => {
    const wait = readWait(new URL(c.req.url).searchParams);
    if (wait) {
      const after = wait.index ?? ((await isThere()) === undefined ? await discovery.index(service) : undefined);
      const { signal } = c.req.raw;
      if (after !== undefined) await discovery.changed(service, after, { timeoutMs: wait.waitMs, signal });
    }
    return { "Discoverd-Service-Index": String(await discovery.index(service)) };
  };

  // ---- services
  api.get("/services", async (c) => {
    if (wantsStream(c)) return stream(c, undefined);
    const params = new URL(c.req.url).searchParams;
    refuseUnknown(params, ["prefix", "after", "limit", "index", "wait"]);
    const headers = await waited(c, undefined, () => true);
    const limit = readLimit(params);
    const [prefix, after] = [params.get("prefix") ?? "", params.get("after") ?? ""];
    // One more than asked for tells whether there is a next page.
    const found = await discovery.services({ prefix, after, ...(limit === undefined ? {} : { limit: limit + 1 }) });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return json(page, { ...headers, ...(last && page.length < found.length ? { "Discoverd-Next": last.name } : {}) });
  });
  api.put("/services/:service", async (c) => {
    const service = c.req.param("service");
    validateService(service);
    const { leader_type } = await readBody(c.req.raw, (await schemas()).configSchema);
    await discovery.addService(service, { leader_type: leader_type as "oldest" });
    return empty();
  });
  api.delete("/services/:service", async (c) => {
    await discovery.removeService(c.req.param("service"));
    return empty();
  });
  // Always a stream, whatever is accepted, as in the original.
  api.get("/services/:service", (c) => stream(c, c.req.param("service")));

  // ---- metadata
  api.put("/services/:service/meta", async (c) => {
    const { data = null, index, leader_id } = await readBody(c.req.raw, (await schemas()).metaUpdateSchema);
    const update = { data, index, ...(leader_id ? { leader_id } : {}) };
    return json(await discovery.setMeta(c.req.param("service"), update));
  });
  api.get("/services/:service/meta", async (c) => {
    const service = c.req.param("service");
    const headers = await waited(c, service, () => discovery.meta(service));
    const meta = await discovery.meta(service);
    if (!meta) throw new Problem("object_not_found", "service meta not found", { headers });
    return json(meta, headers);
  });

  // ---- instances
  api.put("/services/:service/instances/:id", async (c) => {
    const {
      meta,
      index: _ignored,
      owner: _also,
      ...rest
    } = await readBody(c.req.raw, (await schemas()).instanceSchema, false);
    const instance = (meta ? { ...rest, meta } : rest) as Instance;
    const id = c.req.param("id");
    if (id !== instance.id) {
      validateInstance(instance);
      throw new Problem("validation_error", `discoverd: instance id is "${instance.id}", but the path says "${id}"`);
    }
    const ttl = c.req.query("ttl_ms");
    await discovery.register(c.req.param("service"), instance, ttl === undefined ? {} : { ttlMs: Number(ttl) });
    return empty();
  });
  api.delete("/services/:service/instances/:id", async (c) => {
    const { service, id } = c.req.param();
    try {
      await discovery.deregister(service, id);
    } catch (error) {
      const isUnknown = error instanceof DiscoveryError && error.code === "object_not_found";
      // As in the original: an unknown instance of a known service is no error.
      if (!isUnknown || (await discovery.instances(service)) === undefined) throw error;
    }
    return empty();
  });
  api.get("/services/:service/instances", async (c) => {
    const service = c.req.param("service");
    if (wantsStream(c)) return stream(c, service, ["up", "update", "down"]);
    const query = readInstanceQuery(new URL(c.req.url).searchParams);
    const headers = await waited(c, service, () => discovery.instances(service));
    const instances = await discovery.instances(service, query);
    if (!instances) throw new Problem("object_not_found", `service not found: "${service}"`, { headers });
    return json(instances, headers);
  });

  // ---- leaders
  api.put("/services/:service/leader", async (c) => {
    const service = c.req.param("service");
    const [summary] = await discovery.services({ prefix: service, limit: 1 }); // the shortest comes first
    if (summary?.name !== service) throw notManual();
    if (summary.config.leader_type !== "manual") throw notManual();
    const { id } = await readBody(c.req.raw, (await schemas()).leaderSchema);
    await discovery.setLeader(service, id);
    return empty();
  });
  api.get("/services/:service/leader", async (c) => {
    const service = c.req.param("service");
    if (wantsStream(c)) return stream(c, service, ["leader"]);
    const headers = await waited(c, service, () => discovery.leader(service));
    const leader = await discovery.leader(service);
    if (!leader) throw new Problem("object_not_found", "no leader found", { headers });
    return json(leader.instance, { ...headers, "Discoverd-Fencing-Token": String(leader.fencingToken) });
  });

  // ---- the daemon
  if (!options.metrics) {
    let metrics: Metrics | undefined;
    api.get("/metrics", async () => {
      const { discoverdMetrics } = await import("./discoverdMetrics.ts");
      metrics ??= discoverdMetrics(discovery, options.watchers ?? (() => 0));
      return new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } });
    });
  }
  addFaces(api, discovery, { version, node: options.node, address, peers, log: options.log, signal: options.signal });
  api.get("/ping", () => empty());
  api.get("/status", async () => json(await discovery.status()));
  api.get("/.well-known/status", async () => {
    const { ready } = await discovery.status();
    return json({ data: { status: ready ? "healthy" : "unhealthy", version } }, {}, ready ? 200 : 500);
  });
  addOwnPaths(api, discovery);
  addRaftPaths(api, { peers, address, rev: async () => (await discovery.status()).rev });
  if (options.onShutdown) {
    const { onShutdown } = options;
    api.post("/shutdown", async () => {
      const { rev } = await discovery.status();
      isShuttingDown = true;
      setTimeout(onShutdown, 50);
      return json({ last_index: rev });
    });
  }
  return api;
}

function isFollowed(discovery: Discovery): discovery is Discovery & Followed {
  return "follow" in discovery;
}

/** Blocking reads bring their own time limit. */
function mayWait(path: string): boolean {
  return /^(\/services|\/index|\/services\/[^/]+\/(instances|leader|meta|index))$/.test(path);
}

function notManual(): Problem {
  return new Problem("validation_error", "service leader election type is not manual");
}
