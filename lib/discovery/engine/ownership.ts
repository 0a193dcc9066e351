import type { LeaseId } from "../../store/store.ts";
import type { Instance, RegisterOptions } from "../discovery.ts";
import type { Catalog, InstanceChange } from "./catalog.ts";
import type { Claimer } from "./claimer.ts";
import type { Holding, Holdings } from "./holdings.ts";
import type { InstanceRecord } from "./serviceState.ts";

interface OwnershipOptions {
  catalog: Catalog;
  holdings: Holdings;
  claimer: Claimer;
  lease: () => LeaseId | undefined;
  ttlMs: number;
  /** Now, as heartbeats are dated. */
  awake: () => number;
  /** Asks for a look at the lease. */
  checkLease: () => void;
  signal: AbortSignal;
}

/** Decides which registrations are this daemon's to keep alive and to expire, from heartbeats and from the store's changes. */
export class Ownership {
  readonly #options: OwnershipOptions;
  /** Ours, but gone from the store, for a reason that only a look at the lease can tell. */
  readonly #lost = new Set<Holding>();

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** A heartbeat of a registration that is unchanged: only a time in memory. False when it came too late. */
  beat(service: string, record: InstanceRecord, options: RegisterOptions): boolean {
    const { holdings, claimer, lease, awake, signal } = this.#options;
    let holding = holdings.get(service, record.instance.id);
    if (holding && holdings.expiring.has(holding)) return false;
    if (holding) {
      holding.seenAt = awake();
      holdings.braked.delete(holding);
      if (options.held !== undefined) holding.held = options.held;
    } else {
      holding = this.newHolding(service, record.instance, { ...ttlOf(record), ...options });
      holdings.set(holding);
    }
    // Another daemon's until now (or ours before a restart).
    if (record.lease !== lease()) claimer.add(holding, signal);
    return true;
  }

  newHolding(service: string, instance: Instance, options: RegisterOptions): Holding {
    return {
      service,
      instance,
      ttlAsked: options.ttlMs,
      ttlMs: options.ttlMs ?? this.#options.ttlMs,
      held: options.held ?? false,
      seenAt: this.#options.awake(),
      writing: 0,
    };
  }

  /** What a change in the store means for what we answer for. */
  observe({ service, id, before, after }: InstanceChange): void {
    const { catalog, holdings, claimer, lease, checkLease } = this.#options;
    const holding = holdings.get(service, id);
    if (after?.lease !== undefined && after.lease === lease()) {
      if (holding) {
        // The catalog's own strings, so that those of the request are not kept beside them.
        holding.instance = after.instance;
        holdings.set(holding);
      }
      // Written under our lease without our knowledge (a write that we took for failed): ours to expire.
      else holdings.set(this.newHolding(service, after.instance, ttlOf(after)));
    } else if (!holding || holding.writing > 0) {
      return;
    } else if (after) {
      // Another daemon got its heartbeat.
      if (!holding.held && !claimer.has(holding)) holdings.delete(holding);
    } else if (before) {
      if (holdings.expiring.has(holding) || !catalog.service(service)) holdings.delete(holding);
      else {
        this.#lost.add(holding);
        checkLease();
      }
    }
  }

  /** What lies under our lease and nobody answers for (its write was taken for failed, or given up): from now on we do, so that it can expire. */
  adopt(): void {
    const { catalog, holdings, lease } = this.#options;
    const own = lease();
    if (own === undefined) return;
    for (const { name, config, instances } of catalog.services.values()) {
      if (!config) continue;
      for (const [id, record] of instances) {
        if (record.holding || record.lease !== own || holdings.get(name, id)) continue;
        holdings.set(this.newHolding(name, record.instance, ttlOf(record)));
      }
    }
  }

  /** The old lease took its keys along: all that lives and that we answer for is put again, with a new index where the key was gone. */
  leaseReplaced(): void {
    const { holdings, claimer, awake, signal } = this.#options;
    this.#lost.clear();
    for (const holding of [...holdings.all()]) {
      if (holding.held || awake() - holding.seenAt <= holding.ttlMs) claimer.add(holding, signal);
      else holdings.delete(holding);
    }
  }

  /** What is lost was removed by someone, then: let go, but for what is held here. */
  leaseAlive(): void {
    const { catalog, holdings, claimer, signal } = this.#options;
    for (const holding of this.#lost) {
      if (catalog.service(holding.service)?.instances.has(holding.instance.id)) continue;
      if (holding.held) claimer.add(holding, signal);
      else if (holding.writing === 0) holdings.delete(holding);
    }
    this.#lost.clear();
  }
}

function ttlOf(record: InstanceRecord): RegisterOptions {
  return record.ttlMs === undefined ? {} : { ttlMs: record.ttlMs };
}
