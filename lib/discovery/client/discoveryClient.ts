import type {
  Discovery,
  DiscoveryEvent,
  DiscoveryStatus,
  Instance,
  Leader,
  RegisterOptions,
  ServiceConfig,
  ServiceMeta,
  ServiceMetaUpdate,
  ServiceSummary,
  WatchOptions,
} from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import { validateInstance } from "../validateInstance.ts";
import { validateService } from "../validateService.ts";
import type { ClientLog } from "./clientLog.ts";
import { Heartbeater } from "./heartbeater.ts";
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

  async services(): Promise<ServiceSummary[]> {
    return (await this.#get<ServiceSummary[]>("/services")) ?? [];
  }

  instances(service: string): Promise<Instance[] | undefined> {
    return this.#get<Instance[]>(`${pathOf(service)}/instances`);
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
    const { index: _server, ...body } = instance;
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
    const path = service === undefined ? "/services" : pathOf(service);
    return watchServers(this.#servers, path, { ...options, signal, log, silenceMs, ofAll: service === undefined });
  }

  /** Never fails: an unreachable daemon is a stale status with the reason. */
  async status(): Promise<DiscoveryStatus> {
    try {
      return (await (await this.#servers.ask({ method: "GET", path: "/status" })).json()) as DiscoveryStatus;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const counts = { rev: 0, services: 0, instances: 0, brake: 0 };
      return { ready: false, stale: true, currentAt: 0, reason, ...counts, daemon: "" };
    }
  }

  /** Stops heartbeats and watches; registrations stay until their TTL. */
  async close(): Promise<void> {
    for (const heartbeat of this.#heartbeats.values()) heartbeat.stop();
    this.#heartbeats.clear();
    this.#closed.abort();
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

function pathOf(service: string): string {
  return `/services/${encodeURIComponent(service)}`;
}
