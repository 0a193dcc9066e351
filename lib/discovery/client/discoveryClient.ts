import type { CheckDefinition, CheckResult } from "../../health/checkDefinition.ts";
import type {
  ChangedOptions,
  Discovery,
  DiscoveryEvent,
  DiscoveryStatus,
  HistoryEntry,
  Instance,
  InstanceQuery,
  Leader,
  RegisterOptions,
  Registration,
  ServiceConfig,
  ServiceMeta,
  ServiceMetaUpdate,
  ServiceQuery,
  ServiceSummary,
  StateChange,
  WatchOptions,
} from "../discovery.ts";
import { DiscoveryError, type DiscoveryErrorCode } from "../discoveryError.ts";
import { validateInstance } from "../validateInstance.ts";
import { validateService } from "../validateService.ts";
import type { ClientLog } from "./clientLog.ts";
import { Heartbeater } from "./heartbeater.ts";
import { instancesQuery } from "./instancesQuery.ts";
import { Servers } from "./servers.ts";
import { watchServers } from "./watchServers.ts";

/** All of them set: `createDiscoveryClient` gives the defaults. */
export interface ClientSettings {
  urls: readonly string[];
  token: string | undefined;
  log: ClientLog;
  requestTimeoutMs: number;
  totalTimeoutMs: number;
  silenceMs: number;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** The Discovery contract over HTTP. Made by `createDiscoveryClient`. */
export class DiscoveryClient implements Discovery {
  readonly #settings: ClientSettings;
  readonly #servers: Servers;
  readonly #heartbeats = new Map<string, Heartbeater>();
  readonly #closed = new AbortController();

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#servers = new Servers({ ...settings, signal: this.#closed.signal });
  }

  async addService(service: string, config: ServiceConfig = {}): Promise<void> {
    validateService(service);
    await this.#servers.ask({ method: "PUT", path: pathOf(service), body: config });
  }

  async removeService(service: string): Promise<void> {
    validateService(service);
    await this.#servers.ask({ method: "DELETE", path: pathOf(service) });
  }

  async services({ prefix, after, limit }: ServiceQuery = {}): Promise<ServiceSummary[]> {
    const query = new URLSearchParams();
    if (prefix !== undefined) query.set("prefix", prefix);
    if (after !== undefined) query.set("after", after);
    if (limit !== undefined) query.set("limit", String(limit));
    return (await this.#get<ServiceSummary[]>(`/services?${query}`)) ?? [];
  }

  instances(service: string, query: InstanceQuery = {}): Promise<Instance[] | undefined> {
    return this.#get<Instance[]>(`${pathOf(service)}/instances?${instancesQuery(query)}`);
  }

  index(service: string | undefined): Promise<number> {
    return this.#index(service, "", {});
  }

  async changed(service: string | undefined, after: number, { timeoutMs, signal }: ChangedOptions): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      // The server waits for a minute at most, so that what lies between does not take the silence for a fault.
      const ms = Math.max(0, Math.min(60_000, Math.round(deadline - performance.now())));
      const index = await this.#index(service, `?index=${after}&wait=${ms}ms`, {
        waitMs: ms,
        ...(signal ? { signal } : {}),
      });
      if (index !== after || signal?.aborted || performance.now() >= deadline) return index;
    }
  }

  async history(service: string): Promise<HistoryEntry[]> {
    return (await this.#get<HistoryEntry[]>(`${pathOf(service)}/history`)) ?? [];
  }

  async leader(service: string): Promise<Leader | undefined> {
    const answer = await this.#ifFound(`${pathOf(service)}/leader`);
    if (!answer) return undefined;
    const token = Number(answer.headers.get("discoverd-fencing-token"));
    const instance = (await answer.json()) as Instance;
    return { instance, fencingToken: token > 0 ? token : (instance.index ?? 0) };
  }

  meta(service: string): Promise<ServiceMeta | undefined> {
    return this.#get<ServiceMeta>(`${pathOf(service)}/meta`);
  }

  async register(service: string, instance: Instance, options: RegisterOptions = {}): Promise<void> {
    validateInstance(instance);
    const key = `${service}/${instance.id}`;
    const { index: _server, owner: _daemon, ...body } = instance;
    const query = options.ttlMs === undefined ? "" : `?ttl_ms=${options.ttlMs}`;
    const path = `${pathOf(service)}/instances/${instance.id}${query}`;
    const beat = async () => {
      await (await this.#servers.ask({ method: "PUT", path, body })).body?.cancel();
    };
    // The old heartbeats stop first: one of them may not put the old meta back.
    this.#heartbeats.get(key)?.stop();
    if (options.held) {
      const onFailure = (error: unknown) =>
        this.#settings.log.warn("heartbeat failed; trying on", { service, addr: instance.addr, error: String(error) });
      this.#heartbeats.set(key, new Heartbeater({ service, instance, options, beat, onFailure }));
    }
    try {
      await beat();
    } catch (error) {
      this.#heartbeats.get(key)?.stop();
      this.#heartbeats.delete(key);
      throw error;
    }
  }

  async deregister(service: string, id: string): Promise<void> {
    const key = `${service}/${id}`;
    this.#heartbeats.get(key)?.stop();
    this.#heartbeats.delete(key);
    await this.#servers.ask({ method: "DELETE", path: `${pathOf(service)}/instances/${encodeURIComponent(id)}` });
  }

  async registerAll(registrations: readonly Registration[]): Promise<(DiscoveryError | undefined)[]> {
    const outcomes: (DiscoveryError | undefined)[] = [];
    for (let start = 0; start < registrations.length; start += batchSize) {
      outcomes.push(...(await this.#registerSome(registrations.slice(start, start + batchSize))));
    }
    return outcomes;
  }

  async heartbeat(service: string, ids: readonly string[]): Promise<string[]> {
    const unknown: string[] = [];
    for (let start = 0; start < ids.length || start === 0; start += batchSize) {
      const body = { [service]: ids.slice(start, start + batchSize) };
      const answer = await this.#servers.ask({ method: "POST", path: "/heartbeats", body });
      const told = (await answer.json()) as { unknown: Record<string, string[]>; missing: string[] };
      if (told.missing.includes(service)) {
        throw new DiscoveryError("object_not_found", `discoverd: service "${service}" not found`);
      }
      unknown.push(...(told.unknown[service] ?? []));
    }
    return unknown;
  }

  async setState(service: string, id: string, change: StateChange): Promise<void> {
    const path = `${pathOf(service)}/instances/${encodeURIComponent(id)}/state`;
    await this.#servers.ask({ method: "PUT", path, body: change });
  }

  /**
   * Checks that the daemons run. An instance that is not registered is registered by them, until `deregister`, without heartbeats.
   * @throws {DiscoveryError} object_not_found (no such service), validation_error
   */
  async setChecks(service: string, instance: Instance, checks: readonly CheckDefinition[]): Promise<void> {
    validateInstance(instance);
    const { index: _server, owner: _daemon, state: _state, reason: _reason, ttl_ms: _ttl, ...bare } = instance;
    const path = `${pathOf(service)}/instances/${instance.id}/checks`;
    await this.#servers.ask({ method: "PUT", path, body: { instance: bare, checks } });
  }

  /** What a ttl check lives by. @throws {DiscoveryError} object_not_found */
  async reportCheck(service: string, id: string, name: string, { outcome, output }: CheckResult): Promise<void> {
    const path = `${pathOf(service)}/instances/${encodeURIComponent(id)}/checks/${encodeURIComponent(name)}`;
    await this.#servers.ask({ method: "PUT", path, body: { status: outcome, output } });
  }

  async setLeader(service: string, id: string): Promise<void> {
    await this.#servers.ask({ method: "PUT", path: `${pathOf(service)}/leader`, body: { id } });
  }

  async setMeta(service: string, update: ServiceMetaUpdate): Promise<ServiceMeta> {
    const answer = await this.#servers.ask({ method: "PUT", path: `${pathOf(service)}/meta`, body: update });
    return (await answer.json()) as ServiceMeta;
  }

  watch(service: string | undefined, options: WatchOptions): AsyncIterable<DiscoveryEvent> {
    const signal = AbortSignal.any([options.signal, this.#closed.signal]);
    const { log, silenceMs } = this.#settings;
    const query = `fencing&${instancesQuery(options.filter ?? {})}`;
    const path = `${service === undefined ? "/services" : pathOf(service)}?${query}`;
    return watchServers(this.#servers, path, { ...options, signal, log, silenceMs, ofAll: service === undefined });
  }

  /** Never fails: an unreachable daemon is a stale status with the reason. */
  async status(): Promise<DiscoveryStatus> {
    try {
      return (await (await this.#servers.ask({ method: "GET", path: "/status" })).json()) as DiscoveryStatus;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const counts = { rev: 0, services: 0, instances: 0, brake: 0, brakeShare: 0 };
      return { ready: false, stale: true, currentAt: 0, reason, ...counts, daemon: "" };
    }
  }

  /** Stops heartbeats and watches; registrations stay until their TTL. */
  async close(): Promise<void> {
    for (const heartbeat of this.#heartbeats.values()) heartbeat.stop();
    this.#heartbeats.clear();
    this.#closed.abort();
  }

  async #registerSome(some: readonly Registration[]): Promise<(DiscoveryError | undefined)[]> {
    const body = some.map(({ service, instance: { index: _server, owner: _daemon, ...instance }, options }) => ({
      service,
      ...instance,
      ...(options?.ttlMs === undefined ? {} : { ttl_ms: options.ttlMs }),
    }));
    const outcomes = new Array<DiscoveryError | undefined>(some.length);
    try {
      const answer = await this.#servers.ask({ method: "POST", path: "/registrations", body });
      const { failed } = (await answer.json()) as {
        failed: { at: number; code: DiscoveryErrorCode; message: string }[];
      };
      for (const { at, code, message } of failed) outcomes[at] = new DiscoveryError(code, message);
      return outcomes;
    } catch (error) {
      const told = error instanceof DiscoveryError ? error : new DiscoveryError("unknown_error", String(error));
      return outcomes.fill(told);
    }
  }

  async #index(
    service: string | undefined,
    query: string,
    options: { waitMs?: number; signal?: AbortSignal },
  ): Promise<number> {
    const path = `${service === undefined ? "" : pathOf(service)}/index${query}`;
    const answer = await this.#servers.ask({ method: "GET", path, ...options });
    return ((await answer.json()) as { index: number }).index;
  }

  async #get<T>(path: string): Promise<T | undefined> {
    return (await (await this.#ifFound(path))?.json()) as T | undefined;
  }

  async #ifFound(path: string): Promise<Response | undefined> {
    try {
      return await this.#servers.ask({ method: "GET", path });
    } catch (error) {
      if (error instanceof DiscoveryError && error.code === "object_not_found") return undefined;
      throw error;
    }
  }
}

/** In one request: well below the body's limit. */
const batchSize = 2000;

function pathOf(service: string): string {
  return `/services/${encodeURIComponent(service)}`;
}
