import type { LeaseId, Store } from "../../store/store.ts";
import type { Instance } from "../discovery.ts";
import { type BatchItem, writeInBatches } from "./batches.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import type { EngineLog } from "./engineLog.ts";
import type { Holding, Holdings } from "./holdings.ts";
import { configKey, instanceKey } from "./keys.ts";
import { encodeValue, type Standing, sortedMeta } from "./storedValues.ts";

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
  /** Refused once: put again only where nobody else has it by now. */
  readonly #refused = new Set<Holding>();
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
        const refused = await this.#claim(lot, id);
        for (const holding of lot) this.#pending.delete(holding);
        failures = 0;
        if (refused.length > 0) await this.#again(refused, signal);
      } catch (error) {
        if (failures === 0) log.debug("instances are not yet under our lease", { error: String(error) });
        failures++;
        await clock.sleep(Math.min(50 * 2 ** failures, 2000) * (0.8 + Math.random() * 0.2), signal);
      }
    }
    this.#running = false;
  }

  /** The key changed meanwhile: our watch may only just be behind (once more), or another daemon has it (let go). */
  async #again(refused: readonly Holding[], signal: AbortSignal): Promise<void> {
    const { catalog, holdings, clock, daemon } = this.#options;
    await clock.sleep(100, signal);
    for (const holding of refused) {
      const record = catalog.service(holding.service)?.instances.get(holding.instance.id);
      const isOthers = record !== undefined && record.daemon !== daemon;
      if (!this.#refused.delete(holding) && !isOthers) {
        this.#refused.add(holding);
        this.#pending.add(holding);
      } else if (!holding.held) holdings.delete(holding);
    }
  }

  async #claim(lot: readonly Holding[], lease: LeaseId): Promise<Holding[]> {
    const { store, catalog, holdings, daemon } = this.#options;
    const items: BatchItem<Holding>[] = [];
    for (const holding of lot) {
      const { service, instance, ttlAsked } = holding;
      const { id } = instance;
      if (!holdings.has(holding) || !catalog.service(service)) continue;
      const record = catalog.service(service)?.instances.get(id);
      if (record?.lease === lease) continue;
      const key = instanceKey(service, id);
      items.push({
        ...(record ? {} : { creates: service }),
        item: holding,
        conditions: [
          { key: configKey(service), exists: true },
          record ? { key, modRev: record.modRev } : { key, exists: false },
        ],
        operation: {
          op: "put",
          key,
          value: instanceValue({ instance, ttlAsked, standing: record?.standing }, daemon),
          lease,
        },
      });
    }
    return (await writeInBatches(store, items)).refused;
  }
}

interface InstanceToStore {
  instance: Instance;
  ttlAsked: number | undefined;
  standing: Standing | undefined;
}

export function instanceValue({ instance, ttlAsked, standing }: InstanceToStore, daemon: string): Uint8Array {
  const { addr, proto, weight, zone } = instance;
  const meta = sortedMeta(instance.meta);
  return encodeValue({ addr, proto, meta, weight, zone, daemon, ttl: ttlAsked, ...standing });
}
