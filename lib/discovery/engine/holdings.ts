import type { Instance } from "../discovery.ts";
import type { Beat } from "./expiring.ts";

/** A registration that this process answers for: it got the last heartbeat, or made it as `held`. */
export interface Holding extends Beat {
  readonly service: string;
  instance: Instance;
  /** The TTL that was asked for, when it was. */
  ttlAsked: number | undefined;
  /** Writes for it that are under way: what the watch says of it meanwhile may be older. */
  writing: number;
  /** Its removal is under way: a heartbeat comes too late and registers anew. */
  expiring: boolean;
  /** The brake keeps it, and its history says so. */
  braked: boolean;
}

/** Service -> id -> holding: nested, so that no key strings are made. */
export class Holdings {
  readonly #services = new Map<string, Map<string, Holding>>();

  get(service: string, id: string): Holding | undefined {
    return this.#services.get(service)?.get(id);
  }

  set(holding: Holding): void {
    let ids = this.#services.get(holding.service);
    if (!ids) {
      ids = new Map();
      this.#services.set(holding.service, ids);
    }
    ids.set(holding.instance.id, holding);
  }

  delete({ service, instance }: Holding): void {
    const ids = this.#services.get(service);
    if (ids?.delete(instance.id) && ids.size === 0) this.#services.delete(service);
  }

  has(holding: Holding): boolean {
    return this.get(holding.service, holding.instance.id) === holding;
  }

  *all(): Generator<Holding> {
    for (const ids of this.#services.values()) yield* ids.values();
  }
}
