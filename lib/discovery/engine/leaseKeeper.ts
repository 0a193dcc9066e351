import type { LeaseId, Store } from "../../store/store.ts";
import { DiscoveryError } from "../discoveryError.ts";
import type { Clock } from "./clock.ts";
import type { EngineLog } from "./engineLog.ts";
import { daemonKey } from "./keys.ts";
import { encodeValue } from "./storedValues.ts";

interface LeaseKeeperOptions {
  store: Store;
  clock: Clock;
  log: EngineLog;
  ttlMs: number;
  daemon: string;
  /** Kept under the daemon's own key, so that all daemons know each other. */
  address: string;
  /** A new lease: the first one, or after the old one ran out (and took its keys along). */
  onGranted: (lease: LeaseId, isFirst: boolean) => void;
  /** The lease was alive at a check that began after every `nudge` before it. */
  onAlive: () => void;
}

/** Keeps this daemon's one lease: grants it, renews it every third of its TTL (with jitter), replaces it when it ran out. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  #lease: { id: LeaseId; ttlMs: number } | undefined;
  #grants = 0;
  #nudged = false;
  #wake: (() => void) | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  get id(): LeaseId | undefined {
    return this.#lease?.id;
  }

  /** Something hints that the lease may be gone: look now. */
  nudge(): void {
    this.#nudged = true;
    this.#wake?.();
  }

  /** The lease, as soon as there is one. @throws {DiscoveryError} service_unavailable after `timeoutMs` */
  async granted(timeoutMs: number): Promise<LeaseId> {
    if (this.#lease) return this.#lease.id;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, timeoutMs);
      const waiters = this.#waiters;
      function done() {
        clearTimeout(timer);
        waiters.delete(done);
        resolve();
      }
      waiters.add(done);
    });
    const now = this.id;
    if (now !== undefined) return now;
    throw new DiscoveryError("service_unavailable", "discoverd: the store cannot be reached");
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (!this.#lease) await this.#grant();
        else await this.#renew();
        if (failures > 0) log.info("the store answers again");
        failures = 0;
      } catch (error) {
        // The 1st, 2nd, 3rd, 5th, 9th... is told: enough to see, too few to flood.
        if ((failures & (failures - 1)) === 0 && !signal.aborted) {
          log.warn("the store does not answer; trying on", { error: text(error), failures: failures + 1 });
        }
        failures++;
      }
      if (!signal.aborted && (this.#lease || failures > 0)) await this.#pause(failures, signal);
    }
  }

  async #grant(): Promise<void> {
    const { store, ttlMs, daemon, address, onGranted } = this.#options;
    const lease = await store.grantLease(Math.max(ttlMs, store.capabilities.minLeaseMs));
    const value = encodeValue({ address });
    await store.txn({ then: [{ op: "put", key: daemonKey(daemon), value, lease: lease.id }] });
    this.#lease = lease;
    this.#grants++;
    for (const done of [...this.#waiters]) done();
    onGranted(lease.id, this.#grants === 1);
  }

  async #renew(): Promise<void> {
    if (!this.#lease) return;
    const { store, log, onAlive } = this.#options;
    this.#nudged = false;
    const { id } = this.#lease;
    const answer = (await store.keepAlive([id])).get(id);
    if (answer === "expired" || answer === undefined) {
      log.warn("this daemon's lease ran out: taking a new one and registering again");
      this.#lease = undefined;
    } else if (!this.#nudged) onAlive();
  }

  async #pause(failures: number, signal: AbortSignal): Promise<void> {
    const third = (this.#lease?.ttlMs ?? this.#options.ttlMs) / 3;
    const jitter = 0.8 + Math.random() * 0.2;
    const backOff = Math.min(100 * 2 ** Math.min(failures, 6), third);
    const ms = failures > 0 ? backOff * jitter : this.#nudged ? 50 : third * jitter;
    const pause = new AbortController();
    const end = () => pause.abort();
    signal.addEventListener("abort", end);
    if (failures === 0) this.#wake = end;
    await this.#options.clock.sleep(ms, pause.signal);
    this.#wake = undefined;
    signal.removeEventListener("abort", end);
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
