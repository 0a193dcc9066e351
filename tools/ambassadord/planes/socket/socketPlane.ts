import { connectTcp, type TcpSocket } from "../../../../lib/runtime/tcp.ts";
import type { AppliedRoute, Backend, Plane, Route } from "../plane.ts";
import { connectOrder } from "./connectOrder.ts";
import { joinSockets } from "./joinSockets.ts";
import { Listeners } from "./listeners.ts";

export interface SocketPlaneOptions {
  /**
   * Addresses to listen on beside the gateways of the callers' networks: what `--add-host ambassador:host-gateway` gives
   * (docker0's address), whatever network the caller is on. Those that cannot be bound are no fault. Default: none.
   */
  alsoOn?: () => readonly string[];
  /** For one attempt. Default 5000 ms. */
  connectTimeoutMs?: number;
  /** How many backends are tried when the route does not say. Default 3. */
  connectAttempts?: number;
  /** Open connections of one route; beyond it new ones are closed. Default 10,000. */
  maxConnections?: number;
  /** Told of each connection that is not carried. */
  onRefused?: (refusal: RefusedConnection) => void;
}

export interface RefusedConnection {
  caller: string;
  port: number;
  routeId?: string;
  reason: RefusalReason;
  /** In words, with what each backend answered. */
  why: string;
}

export type RefusalReason = "no_route" | "no_backends" | "connect_failed" | "too_many_connections";

export interface ConnectFailure {
  at: number;
  backend: string;
  why: string;
}

export interface SocketCounters {
  accepted: number;
  active: number;
  retries: number;
  refused: Record<RefusalReason, number>;
  bytesSent: number;
  bytesReceived: number;
}

/** Outlives an apply as long as the route's id does. */
interface Served {
  route: Route;
  active: number;
  failures: ConnectFailure[];
}

const keptFailures = 10;

/**
 * Portable user space: a listener per ambassador address and port; the caller is told apart by its source address. It
 * tries other backends when a connect fails.
 */
export class SocketPlane implements Plane {
  readonly kind = "socket";
  readonly counters: SocketCounters = {
    accepted: 0,
    active: 0,
    retries: 0,
    refused: { no_route: 0, no_backends: 0, connect_failed: 0, too_many_connections: 0 },
    bytesSent: 0,
    bytesReceived: 0,
  };
  readonly #options: SocketPlaneOptions;
  readonly #listeners = new Listeners((port, socket) => void this.#accept(port, socket));
  readonly #open = new Set<TcpSocket>();
  #served = new Map<string, Served>();
  /** By "<caller ip>/<port>"; any caller's under "/<port>". */
  #byCaller = new Map<string, Served>();

  constructor(options: SocketPlaneOptions = {}) {
    this.#options = options;
  }

  canCarry(route: Route): { ok: true } | { ok: false; why: string } {
    if (route.proto !== "tcp") return { ok: false, why: "user space carries TCP only" };
    if (route.needs.proxyProtocol) return { ok: false, why: "user space does not write the PROXY protocol" };
    return { ok: true };
  }

  async apply(routes: readonly Route[]): Promise<AppliedRoute[]> {
    const served = new Map<string, Served>();
    const byCaller = new Map<string, Served>();
    const refusals = new Map<Route, string>();
    for (const route of routes) {
      const carry = this.canCarry(route);
      const keys = callerKeys(route);
      const owner = keys.map((key) => byCaller.get(key)).find((other) => other !== undefined);
      if (!carry.ok) refusals.set(route, carry.why);
      else if (owner) refusals.set(route, `route ${owner.route.id} has this caller and port already`);
      else {
        const entry = this.#served.get(route.id) ?? { route, active: 0, failures: [] };
        entry.route = route;
        served.set(route.id, entry);
        for (const key of keys) byCaller.set(key, entry);
      }
    }
    this.#served = served;
    this.#byCaller = byCaller;
    const extra = this.#options.alsoOn?.() ?? [];
    const wanted = [...served.values()].map(({ route }) => ({ route, addresses: addressesOf(route, extra) }));
    const troubles = await this.#listeners.set(
      wanted.flatMap(({ route, addresses }) => addresses.map((hostname) => ({ hostname, port: route.port }))),
    );
    for (const { route, addresses } of wanted) {
      const failed = addresses.map((hostname) => troubles.get(`${hostname}:${route.port}`));
      if (addresses.length === 0) refusals.set(route, "the caller's network has no address of this host to listen on");
      else if (failed.every((trouble) => trouble !== undefined)) refusals.set(route, failed[0] ?? "");
    }
    return routes.map((route) => appliedRoute(route, refusals.get(route)));
  }

  /** The last connect failures of a route, oldest first. */
  failures(routeId: string): readonly ConnectFailure[] {
    return this.#served.get(routeId)?.failures ?? [];
  }

  /** Stops listening and cuts what is open. */
  async close(): Promise<void> {
    this.#served.clear();
    this.#byCaller.clear();
    await this.#listeners.close();
    for (const socket of this.#open) socket.destroy();
  }

  async #accept(port: number, client: TcpSocket): Promise<void> {
    this.counters.accepted++;
    const caller = client.remoteAddress.replace(/^::ffff:/, "");
    const served = this.#byCaller.get(`${caller}/${port}`) ?? this.#byCaller.get(`/${port}`);
    if (!served) return this.#refuse(client, { caller, port, reason: "no_route", why: "no route for this caller" });
    const { route } = served;
    const refuse = (reason: RefusalReason, why: string) =>
      this.#refuse(client, { caller, port, routeId: route.id, reason, why });
    const limit = this.#options.maxConnections ?? 10_000;
    if (served.active >= limit) return refuse("too_many_connections", `${served.active} connections are open`);
    served.active++;
    this.counters.active++;
    this.#open.add(client);
    try {
      const gone = new AbortController();
      client.handlers = { close: () => gone.abort(new Error("the caller went away")) };
      const order = connectOrder(route.backends, route.needs.connectAttempts ?? this.#options.connectAttempts ?? 3);
      if (order.length === 0) return refuse("no_backends", `${route.target} has no backends`);
      const backend = await this.#connect(order, served, gone.signal);
      if (gone.signal.aborted) return backend?.destroy();
      if (!backend) return refuse("connect_failed", whyFailed(served, order.length));
      this.#open.add(backend);
      const { sent, received } = await joinSockets(client, backend);
      this.#open.delete(backend);
      this.counters.bytesSent += sent;
      this.counters.bytesReceived += received;
    } finally {
      this.#open.delete(client);
      served.active--;
      this.counters.active--;
    }
  }

  async #connect(order: readonly Backend[], served: Served, gone: AbortSignal): Promise<TcpSocket | undefined> {
    for (const [attempt, backend] of order.entries()) {
      if (gone.aborted) return undefined;
      if (attempt > 0) this.counters.retries++;
      const timeout = new AbortController();
      const limit = this.#options.connectTimeoutMs ?? 5000;
      const timer = setTimeout(() => timeout.abort(new Error(`no answer within ${limit} ms`)), limit);
      try {
        return await connectTcp({ hostname: backend.ip, port: backend.port }, AbortSignal.any([gone, timeout.signal]));
      } catch (error) {
        served.failures.push({ at: Date.now(), backend: `${backend.ip}:${backend.port}`, why: reasonOf(error) });
        if (served.failures.length > keptFailures) served.failures.shift();
      } finally {
        clearTimeout(timer);
      }
    }
    return undefined;
  }

  #refuse(client: TcpSocket, refusal: RefusedConnection): void {
    this.counters.refused[refusal.reason]++;
    client.handlers = {};
    client.destroy();
    this.#options.onRefused?.(refusal);
  }
}

function callerKeys(route: Route): string[] {
  if (route.caller.addresses.length === 0) return [`/${route.port}`];
  return route.caller.addresses.map(({ ip }) => `${ip}/${route.port}`);
}

function addressesOf(route: Route, extra: readonly string[]): string[] {
  const gateways = route.caller.addresses.map(({ gateway }) => gateway).filter((gateway) => gateway !== "");
  return [...new Set([...gateways, ...extra])];
}

function whyFailed(served: Served, tried: number): string {
  const last = served.failures.slice(-tried).map(({ backend, why }) => `${backend}: ${why}`);
  return `none of ${tried} backends of ${served.route.target} answered (${last.join("; ")})`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code && code !== "ABORT_ERR" ? code : error.message;
}

function appliedRoute(route: Route, refusal: string | undefined): AppliedRoute {
  if (refusal !== undefined) return { route, plane: "none", why: refusal, state: "refused" };
  const live = route.backends.some(({ weight }) => weight > 0);
  if (!live) return { route, plane: "socket", why: "no backends: connections are closed", state: "no_backends" };
  return { route, plane: "socket", why: "carried in user space", state: "active" };
}
