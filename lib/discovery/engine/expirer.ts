import type { LeaseId, Store } from "../../store/store.ts";
import { type BatchItem, writeInBatches } from "./batches.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import type { EngineLog } from "./engineLog.ts";
import { expiring } from "./expiring.ts";
import type { History } from "./history.ts";
import type { Holding, Holdings } from "./holdings.ts";
import { instanceKey } from "./keys.ts";

interface ExpirerOptions {
  store: Store;
  catalog: Catalog;
  holdings: Holdings;
  history: History;
  lease: () => LeaseId | undefined;
  settings: {
    clock: Clock;
    log: EngineLog;
    checkMs: number;
    ttlMs: number;
    brakeShare: number;
    brakeHoldMs: number;
  };
  /** After every check. */
  afterCheck: () => void;
}

/** Removes what missed its heartbeats: only what reports to this daemon, and only while the store can be reached. */
export class Expirer {
  readonly #options: ExpirerOptions;
  /** Time that this process did not get to run, in ms: nobody's heartbeat could arrive in it. */
  #stalled = 0;
  /** When the clock was last read; while we run that is never long ago. */
  #readAt: number;
  #graceUntil: number;
  #wasConnected = false;
  /** How many the brake holds now. */
  braked = 0;

  constructor(options: ExpirerOptions) {
    this.#options = options;
    this.#readAt = options.settings.clock.now();
    this.#graceUntil = this.awake() + options.settings.ttlMs;
  }

  /**
   * Milliseconds, our own stalls (and steps of the clock, forth or back) left out: what heartbeats are dated by. Every reader may be
   * the first to run after a stall, so every reading looks for one.
   */
  awake(): number {
    const { clock, checkMs, log } = this.#options.settings;
    const now = clock.now();
    const gap = now - this.#readAt;
    this.#readAt = now;
    if (gap > 2 * checkMs || gap < 0) {
      const late = gap < 0 ? gap : gap - checkMs;
      this.#stalled += late;
      log.warn("this process stalled, or its clock was stepped; expiry is put off by it", { ms: Math.round(late) });
    }
    return now - this.#stalled;
  }

  /** Nothing expires for one TTL: after a start, a new lease, a store that was away. */
  grace(): void {
    this.#graceUntil = this.awake() + this.#options.settings.ttlMs;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings, afterCheck } = this.#options;
    const { clock, checkMs } = settings;
    while (!signal.aborted) {
      await clock.sleep(checkMs, signal);
      if (signal.aborted) return;
      this.awake();
      await this.#check();
      afterCheck();
    }
  }

  async #check(): Promise<void> {
    const { store, holdings, settings } = this.#options;
    const { connected } = store.status();
    if (connected && !this.#wasConnected) this.grace();
    this.#wasConnected = connected;
    if (!connected || this.awake() < this.#graceUntil) return;
    const { expired, braked } = expiring(this.awake(), holdings.all(), settings);
    this.#tellBrake(braked);
    if (expired.length === 0) return;
    try {
      await this.#remove(expired);
    } catch (error) {
      settings.log.warn("overdue instances are not removed yet", { count: expired.length, error: String(error) });
    }
  }

  async #remove(expired: readonly Holding[]): Promise<void> {
    const { store, catalog, holdings, history, lease, settings } = this.#options;
    const items: BatchItem<Holding>[] = [];
    for (const holding of expired) {
      const { service } = holding;
      const { id } = holding.instance;
      const record = catalog.service(service)?.instances.get(id);
      if (record && record.lease === lease()) {
        const key = instanceKey(service, id);
        const operation = { op: "delete", key } as const;
        history.expect(service, id, { why: "heartbeat missed", detail: this.#silence(holding) });
        items.push({ item: holding, conditions: [{ key, modRev: record.modRev }], operation });
      } else if (holding.writing === 0) {
        holdings.delete(holding); // gone already, or another daemon's by now
      }
    }
    for (const { item } of items) holdings.expiring.add(item);
    try {
      await writeInBatches(store, items);
      for (const { item } of items) if (holdings.has(item) && item.writing === 0) holdings.delete(item);
      for (const { item } of items.slice(0, 20)) {
        const { service, instance } = item;
        const fields = { service, id: instance.id, addr: instance.addr, silent: this.#silence(item) };
        settings.log.info("instance expired: no heartbeat", fields);
      }
      if (items.length > 20) settings.log.info("and more instances expired", { count: items.length - 20 });
    } finally {
      for (const { item } of items) holdings.expiring.delete(item);
    }
  }

  #silence(holding: Holding): string {
    return `silent for ${Math.round(this.awake() - holding.seenAt)} ms`;
  }

  #tellBrake(braked: readonly Holding[]): void {
    const { catalog, history, holdings, settings } = this.#options;
    const { log } = settings;
    for (const holding of braked) {
      if (holdings.braked.has(holding)) continue;
      holdings.braked.add(holding);
      const { service, instance } = holding;
      const about = { at: Date.now(), rev: catalog.rev, id: instance.id, addr: instance.addr };
      history.add(service, { ...about, change: "held", why: "brake held it", detail: this.#silence(holding) });
    }
    if (braked.length > 0 && this.braked === 0) {
      log.warn("many instances fell silent at once: they are kept for now", { count: braked.length });
    } else if (braked.length === 0 && this.braked > 0) {
      log.info("the brake on mass expiry is off again");
    }
    this.braked = braked.length;
  }
}
