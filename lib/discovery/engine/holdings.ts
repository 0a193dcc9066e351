import type { Instance } from "../discovery.ts";
import type { Catalog } from "./catalog.ts";
import type { Beat } from "./expiring.ts";

/** A registration that this process answers for: it got the last heartbeat, or made it as `held`. There are many: every field counts. */
export interface Holding extends Beat {
  readonly service: string;
  instance: Instance;
  /** The TTL that was asked for, when it was. */
  ttlAsked: number | undefined;
  /** Writes for it that are under way: what the watch says of it meanwhile may be older. */
  writing: number;
}

/** By service and id: in the catalog's own record, which saves a second map of all instances, or here while the catalog has none. */
export class Holdings {
  /** Their removal is under way: a heartbeat comes too late and registers anew. */
  readonly expiring = new Set<Holding>();
  /** The brake keeps them, and their history says so. */
  readonly braked = new Set<Holding>();
  readonly #catalog: Catalog;
  readonly #loose = new Map<string, Map<string, Holding>>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    catalog.onHoldingLost = (holding) => this.#keep(holding);
  }

  get(service: string, id: string): Holding | undefined {
    return this.#record(service, id)?.holding ?? this.#loose.get(service)?.get(id);
  }

  set(holding: Holding): void {
    const { service, instance } = holding;
    const record = this.#record(service, instance.id);
    if (record) {
      record.holding = holding;
      this.#drop(service, instance.id);
    } else this.#keep(holding);
  }

  delete(holding: Holding): void {
    const { service, instance } = holding;
    const record = this.#record(service, instance.id);
    if (record) record.holding = undefined;
    this.#drop(service, instance.id);
    this.braked.delete(holding);
  }

  has(holding: Holding): boolean {
    return this.get(holding.service, holding.instance.id) === holding;
  }

  *all(): Generator<Holding> {
    for (const { instances } of this.#catalog.services.values()) {
      for (const { holding } of instances.values()) if (holding) yield holding;
    }
    for (const ids of this.#loose.values()) yield* ids.values();
  }

  #record(service: string, id: string) {
    return this.#catalog.services.get(service)?.instances.get(id);
  }

  #keep(holding: Holding): void {
    let ids = this.#loose.get(holding.service);
    if (!ids) {
      ids = new Map();
      this.#loose.set(holding.service, ids);
    }
    ids.set(holding.instance.id, holding);
  }

  #drop(service: string, id: string): void {
    const ids = this.#loose.get(service);
    if (ids?.delete(id) && ids.size === 0) this.#loose.delete(service);
  }
}
