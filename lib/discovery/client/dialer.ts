import { connectTcp, type TcpSocket } from "../../runtime/tcp.ts";
import type { Discovery, Instance } from "../discovery.ts";
import { NoServicesError } from "./balancer.ts";
import { openServiceSet, type ServiceSet } from "./serviceSet.ts";

export interface DialerOptions {
  /** For one instance, ms. Default 3,000. */
  connectTimeoutMs?: number;
  /** For the service's first state, ms. Default 5,000. */
  lookupTimeoutMs?: number;
  /** In [0, 1). Default Math.random. */
  random?: () => number;
}

/** Connects to services by name. Made by `createDialer`. */
export interface Dialer {
  /**
   * Connects to one of the service's usable instances, tried in random order until one accepts. `name` may have a port, as
   * addresses do; the instance's own is used. The socket is paused.
   * @throws {NoServicesError} "dialer: no services found"; the last one's error when all refuse
   */
  dial(network: "tcp", name: string, signal?: AbortSignal): Promise<TcpSocket>;
  /** As `fetch`, with a service's name as the URL's host (http): the next instance is tried only where none was reached. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  close(): void;
}

/**
 * A dialer keeps a live list of each service that it was asked for, so that only the first call waits for the daemon.
 *
 * @example
 * const dialer = createDialer(discovery);
 * const socket = await dialer.dial("tcp", "redis:6379");
 */
export function createDialer(discovery: Discovery, options: DialerOptions = {}): Dialer {
  const { connectTimeoutMs = 3000, lookupTimeoutMs = 5000, random = Math.random } = options;
  const sets = new Map<string, Promise<ServiceSet>>();

  const setOf = (service: string): Promise<ServiceSet> => {
    let set = sets.get(service);
    if (!set) {
      set = openServiceSet(discovery, service, { signal: AbortSignal.timeout(lookupTimeoutMs) });
      sets.set(service, set);
      set.catch(() => sets.delete(service)); // the next call asks again
    }
    return set;
  };

  const tryEach = async <T>(name: string, attempt: (instance: Instance) => Promise<T>, signal?: AbortSignal) => {
    const service = name.replace(/:\d*$/, "");
    let last: unknown = new NoServicesError("dialer: no services found");
    for (const instance of shuffled((await setOf(service)).usable, random)) {
      signal?.throwIfAborted();
      try {
        return await attempt(instance);
      } catch (error) {
        last = error;
      }
    }
    signal?.throwIfAborted();
    throw last;
  };

  const connect = (instance: Instance, signal?: AbortSignal) => {
    const limit = AbortSignal.timeout(connectTimeoutMs);
    return connectTcp(hostPort(instance.addr), signal ? AbortSignal.any([signal, limit]) : limit);
  };

  return {
    dial: (_network, name, signal) => tryEach(name, (instance) => connect(instance, signal), signal),

    async fetch(url, init = {}) {
      const asked = new URL(url);
      const { host } = asked;
      const signal = init.signal ?? undefined;
      // Who accepts is known before anything is sent: a request is never sent twice.
      const addr = await tryEach(
        asked.hostname,
        async (instance) => {
          (await connect(instance, signal)).destroy();
          return instance.addr;
        },
        signal,
      );
      asked.host = addr;
      const headers = new Headers(init.headers);
      if (!headers.has("host")) headers.set("host", host);
      return await fetch(asked, { ...init, headers });
    },

    close() {
      for (const set of sets.values()) set.then((opened) => opened.close()).catch(() => undefined); // never opened
      sets.clear();
    },
  };
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const order = [...all];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}

function hostPort(addr: string): { hostname: string; port: number } {
  const colon = addr.lastIndexOf(":");
  return { hostname: addr.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(addr.slice(colon + 1)) };
}
