import type { Store } from "../../store/store.ts";
import { type Clock, monotonicClock } from "./clock.ts";
import { Engine } from "./engine.ts";
import { type EngineLog, noLog } from "./engineLog.ts";

export interface EngineOptions {
  log?: EngineLog;
  /** What registrations here are stamped with; no two processes on one store may share it. Default: random. */
  daemonId?: string;
  /** host:port of this daemon's API, told to the others on the store. Default "". */
  address?: string;
  /** How long an instance lives without a heartbeat, in ms, where the registration does not say. Default 10,000. */
  ttlMs?: number;
  /** This daemon's lease in the store, in ms: how long its registrations outlive it. Default 10,000. */
  leaseTtlMs?: number;
  /** Pause between two looks for overdue instances, in ms. Default 500. */
  checkMs?: number;
  /** Brake on mass expiry: see `expiring`. Default 0.5; 1 turns it off. */
  brakeShare?: number;
  /** How long the brake may keep an instance after its TTL, in ms. Default 30,000. */
  brakeHoldMs?: number;
  /** Events kept for watches to resume from. Default 8192. */
  logSize?: number;
  /** How long a write waits for the lease, and for our own reads to show it, in ms. Default 5,000. */
  writeTimeoutMs?: number;
  /** How long `openEngine` itself waits for the store's state, in ms. Default 1,000; it goes on trying after that. */
  startWaitMs?: number;
  /** For tests. */
  clock?: Clock;
}

/**
 * Discovery over a store, in this process. Returns when the state was read, or after `startWaitMs` without it (an unreachable
 * store is retried for ever: see `ready` and `status()`). The store stays the caller's to close, after the engine.
 *
 * @example
 * const engine = await openEngine(await openStore("memory:"), { log });
 * await engine.addService("web");
 * await engine.register("web", { id: instanceId("tcp", "10.0.0.1:80"), proto: "tcp", addr: "10.0.0.1:80" });
 */
export async function openEngine(store: Store, options: EngineOptions = {}): Promise<Engine> {
  const engine = new Engine(store, {
    log: options.log ?? noLog,
    daemonId: options.daemonId ?? crypto.randomUUID().slice(0, 8),
    address: options.address ?? "",
    ttlMs: options.ttlMs ?? 10_000,
    leaseTtlMs: options.leaseTtlMs ?? 10_000,
    checkMs: options.checkMs ?? 500,
    brakeShare: options.brakeShare ?? 0.5,
    brakeHoldMs: options.brakeHoldMs ?? 30_000,
    logSize: options.logSize ?? 8192,
    writeTimeoutMs: options.writeTimeoutMs ?? 5_000,
    clock: options.clock ?? monotonicClock,
  });
  await engine.whenReady(options.startWaitMs ?? 1_000);
  return engine;
}
