import type { LeaseId, Store } from "../../store/store.ts";
import { type BatchItem, writeInBatches } from "./batches.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import type { EngineLog } from "./engineLog.ts";
import type { Holding, Holdings } from "./holdings.ts";
import { configKey, instanceKey } from "./keys.ts";
import { encodeValue, sortedMeta } from "./storedValues.ts";

interface ClaimerOptions {
  store: Store;
  catalog: Catalog;
  holdings: Holdings;
  clock: Clock;
  log: EngineLog;
  daemon: string;
  lease: () => LeaseId | undefined;
}

/**
 * Puts instances under this daemon's lease in the background: those whose heartbeats moved here from another daemon (or from
 * this one before its restart), and all of ours after a lease ran out. Each put asks that nothing changed meanwhile.
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #pending = new Set<Holding>();
  #running = false;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  has(holding: Holding): boolean {
    return this.#pending.has(holding);
  }

  add(holding: Holding, signal: AbortSignal): void {
    this.#pending.add(holding);
    if (!this.#running) void this.#run(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, clock, lease } = this.#options;
    this.#running = true;
    await Promise.resolve(); // let those that come in the same turn join
    for (let failures = 0; this.#pending.size > 0 && !signal.aborted; ) {
      const id = lease();
      const lot = [...this.#pending].slice(0, 1024);
      try {
        if (id === undefined) throw new Error("no lease yet");
        await this.#claim(lot, id);
        for (const holding of lot) this.#pending.delete(holding);
        failures = 0;
      } catch (error) {
        if (failures === 0) log.debug("instances are not yet under our lease", { error: String(error) });
        failures++;
        await clock.sleep(Math.min(50 * 2 ** failures, 2000) * (0.8 + Math.random() * 0.2), signal);
      }
    }
    this.#running = false;
  }

  async #claim(lot: readonly Holding[], lease: LeaseId): Promise<void> {
    const { store, catalog, holdings, daemon } = this.#options;
    const items: BatchItem<Holding>[] = [];
    for (const holding of lot) {
      const { service, id } = holding;
      if (!holdings.has(holding) || !catalog.service(service)) continue;
      const record = catalog.service(service)?.instances.get(id);
      if (record?.lease === lease) continue;
      const key = instanceKey(service, id);
      items.push({
        item: holding,
        conditions: [
          { key: configKey(service), exists: true },
          record ? { key, modRev: record.modRev } : { key, exists: false },
        ],
        operation: { op: "put", key, value: instanceValue(holding, daemon), lease },
      });
    }
    const refused = await writeInBatches(store, items);
    // Someone else has written it meanwhile: the watch tells who, and the next heartbeat here asks again.
    for (const holding of refused) if (!holding.held) holdings.delete(holding);
  }
}

export function instanceValue({ instance, ttlAsked }: Holding, daemon: string): Uint8Array {
  const meta = sortedMeta(instance.meta);
  return encodeValue({
    addr: instance.addr,
    proto: instance.proto,
    ...(meta ? { meta } : {}),
    daemon,
    ...(ttlAsked === undefined ? {} : { ttl: ttlAsked }),
  });
}
