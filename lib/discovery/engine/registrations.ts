import type { Condition, Store, Transaction, TxnResult } from "../../store/store.ts";
import { StoreError } from "../../store/storeError.ts";
import type { Instance, RegisterOptions, Registration, StateChange } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import { sameRegistration } from "../sameInstance.ts";
import { validateInstance, validateState, validateTtl } from "../validateInstance.ts";
import { type BatchItem, writeInBatches } from "./batches.ts";
import type { Catalog } from "./catalog.ts";
import { instanceValue } from "./claimer.ts";
import type { Clock } from "./clock.ts";
import type { History } from "./history.ts";
import type { Holding, Holdings } from "./holdings.ts";
import { configKey, instanceKey } from "./keys.ts";
import type { LeaseKeeper } from "./leaseKeeper.ts";
import type { Ownership } from "./ownership.ts";
import { fromStoreError, instanceNotFound, notReached, serviceNotFound, unavailable } from "./refusals.ts";
import type { Replica } from "./replica.ts";
import type { InstanceRecord } from "./serviceState.ts";
import { firstStanding, standingAfter } from "./standingAfter.ts";
import { decodeInstance } from "./storedValues.ts";

interface RegistrationsOptions {
  store: Store;
  replica: Replica;
  holdings: Holdings;
  ownership: Ownership;
  keeper: LeaseKeeper;
  history: History;
  clock: Clock;
  daemon: string;
  writeTimeoutMs: number;
  awake: () => number;
  /** Resolves when our own reads show what was written. */
  write: (transaction: Transaction) => Promise<TxnResult>;
  signal: AbortSignal;
}

/** One of a batch. */
interface Written {
  key: string;
  holding: Holding;
  before: Holding | undefined;
  /** Its places in the batch: more than one where the same was said again. */
  at: number[];
}

/** A write whose key changed meanwhile is tried again, so often. */
const attempts = 5;
/** Those of a batch that are written one by one, at a time. */
const atOnce = 64;

/** Instances come, beat, change their state and go: the writing half of what an engine does for them. */
export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #catalog: Catalog;

  constructor(options: RegistrationsOptions) {
    this.#options = options;
    this.#catalog = options.replica.catalog;
  }

  async register(service: string, instance: Instance, options: RegisterOptions): Promise<void> {
    const asked = withTtl(instance, options);
    if (this.#beats(service, instance, asked)) return;
    validateInstance(instance);
    validateTtl(asked.ttlMs);
    this.#checkService(service);
    const { holdings } = this.#options;
    const before = holdings.get(service, instance.id);
    const holding = this.#newHolding(service, instance, asked, before);
    try {
      await this.#writeOne(holding);
      holding.seenAt = this.#options.awake();
    } catch (error) {
      this.#putBack(holding, before);
      throw error;
    } finally {
      holding.writing--;
    }
  }

  async registerAll(registrations: readonly Registration[]): Promise<(DiscoveryError | undefined)[]> {
    const outcomes = new Array<DiscoveryError | undefined>(registrations.length);
    const lot = new Map<string, Written>();
    for (const [at, { service, instance, options = {} }] of registrations.entries()) {
      try {
        const asked = withTtl(instance, options);
        if (this.#beats(service, instance, asked)) continue;
        validateInstance(instance);
        validateTtl(asked.ttlMs);
        this.#checkService(service);
        const key = instanceKey(service, instance.id);
        const earlier = lot.get(key); // the last word counts; all of them end alike
        if (earlier) earlier.holding.writing--;
        const before = earlier ? earlier.before : this.#options.holdings.get(service, instance.id);
        const holding = this.#newHolding(service, instance, asked, before);
        lot.set(key, { key, holding, before, at: earlier ? [...earlier.at, at] : [at] });
      } catch (error) {
        outcomes[at] = told(error);
      }
    }
    await this.#writeLot([...lot.values()], (at, error) => {
      outcomes[at] = error;
    });
    return outcomes;
  }

  heartbeat(service: string, ids: readonly string[]): string[] {
    this.#checkService(service);
    const instances = this.#catalog.service(service)?.instances;
    const unknown: string[] = [];
    for (const id of ids) {
      const record = instances?.get(id);
      if (!record || !this.#options.ownership.beat(service, record, nothingAsked)) unknown.push(id);
    }
    return unknown;
  }

  async deregister(service: string, id: string): Promise<void> {
    this.#checkService(service);
    if (!/^[0-9a-f]{32}$/.test(id)) throw instanceNotFound(service, id);
    const { holdings, history, write } = this.#options;
    const holding = holdings.get(service, id);
    if (holding) holdings.delete(holding);
    const key = instanceKey(service, id);
    if (this.#catalog.service(service)?.instances.has(id)) history.expect(service, id, { why: "deregistered" });
    try {
      const { ok } = await write({ if: [{ key, exists: true }], then: [{ op: "delete", key }] });
      if (ok) return;
    } catch (error) {
      history.take(service, id);
      // Still registered under our lease: it has to expire by its heartbeats as before.
      if (holding && !holdings.get(service, id)) holdings.set(holding);
      throw error;
    }
    throw this.#catalog.service(service) ? instanceNotFound(service, id) : serviceNotFound(service);
  }

  async setState(service: string, id: string, change: StateChange): Promise<void> {
    validateState(change.state, change.reason);
    for (let attempt = 1; ; attempt++) {
      this.#checkService(service);
      const record = this.#catalog.service(service)?.instances.get(id);
      if (!record) throw instanceNotFound(service, id);
      const standing = standingAfter(record.standing, change);
      if (!standing) return;
      const key = instanceKey(service, id);
      const { instance, ttlMs, daemon, lease } = record;
      const value = instanceValue({ instance, ttlAsked: ttlMs, standing }, daemon);
      // Under the lease of whoever has its heartbeats: saying something about an instance is not taking it over.
      const { ok } = await this.#options.write({
        if: [{ key, modRev: record.modRev }],
        then: [{ op: "put", key, value, ...(lease === undefined ? {} : { lease }) }],
      });
      if (ok) return;
      if (attempt === attempts) throw unavailable("the registration changes too often elsewhere");
      await this.#options.clock.sleep(10 * attempt, this.#options.signal);
    }
  }

  /** Whether it was only a heartbeat, which is a time in memory. */
  #beats(service: string, instance: Instance, options: RegisterOptions): boolean {
    const record = this.#catalog.service(service)?.instances.get(instance.id);
    return (
      record !== undefined &&
      !this.#options.signal.aborted &&
      sameRegistration(record.instance, instance) &&
      (options.ttlMs === undefined || options.ttlMs === record.ttlMs) &&
      this.#options.ownership.beat(service, record, options)
    );
  }

  #newHolding(service: string, instance: Instance, options: RegisterOptions, before: Holding | undefined): Holding {
    const { ownership, holdings } = this.#options;
    const ttlMs = options.ttlMs ?? before?.ttlAsked;
    // The catalog's own string: requests bring one each.
    const name = this.#catalog.service(service)?.name ?? service;
    const holding = ownership.newHolding(name, instance, {
      held: options.held ?? before?.held ?? false,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    });
    holding.writing++;
    holdings.set(holding);
    return holding;
  }

  /** @throws {DiscoveryError} */
  async #writeOne(holding: Holding): Promise<void> {
    const { service, instance } = holding;
    const key = instanceKey(service, instance.id);
    let unreadable = 0;
    for (let attempt = 1; ; attempt++) {
      const { ok, entries } = await this.#writeUnderLease((lease) => {
        const { conditions, operation } = this.#put(holding, lease, key, unreadable);
        return { if: conditions, then: [operation], else: [{ op: "get", key }] };
      });
      if (ok) return;
      this.#checkService(service);
      if (attempt === attempts) throw unavailable("the registration changes too often elsewhere");
      const there = entries[0];
      unreadable = there && !decodeInstance(there.value) ? there.modRev : 0;
      await this.#options.clock.sleep(10 * attempt, this.#options.signal);
    }
  }

  /**
   * The put of a registration as things are now: over what is known of it, with the state that it has. What is there unknown to us
   * has a state too, and is not written over; `unreadable` is the revision of what nobody can read, which is.
   */
  #put(
    { service, instance, ttlAsked }: Holding,
    lease: string,
    key: string,
    unreadable = 0,
  ): Omit<BatchItem<Holding>, "item"> {
    const record: InstanceRecord | undefined = this.#catalog.service(service)?.instances.get(instance.id);
    const standing = record ? record.standing : firstStanding(instance);
    const value = instanceValue({ instance, ttlAsked, standing }, this.#options.daemon);
    const conditions: Condition[] = [
      { key: configKey(service), exists: true },
      { key, modRev: record?.modRev ?? unreadable },
    ];
    const operation = { op: "put", key, value, lease } as const;
    return record ? { conditions, operation } : { conditions, operation, creates: service };
  }

  async #writeLot(lot: readonly Written[], fail: (at: number, error: DiscoveryError) => void): Promise<void> {
    const { store, keeper, replica, writeTimeoutMs, awake } = this.#options;
    if (lot.length === 0) return;
    try {
      const lease = await keeper.granted(writeTimeoutMs);
      const items = lot.map((one) => ({ item: one, ...this.#put(one.holding, lease, one.key) }));
      const { refused, rev } = await writeInBatches(store, items);
      if (!(await replica.reached(rev, writeTimeoutMs))) throw unavailable("the store's watch does not show it yet");
      const now = awake();
      for (const { holding } of lot) holding.seenAt = now;
      await this.#writeEach(refused, fail);
    } catch (error) {
      if (error instanceof StoreError && error.code === "lease_expired") keeper.nudge();
      for (const { holding, before, at } of lot) {
        this.#putBack(holding, before);
        for (const one of at) fail(one, told(fromStoreError(error)));
      }
    } finally {
      for (const { holding } of lot) holding.writing--;
    }
  }

  /** Those that changed elsewhere meanwhile, one by one; a store that no longer answers keeps them waiting once, not once for each. */
  async #writeEach(lot: readonly Written[], fail: (at: number, error: DiscoveryError) => void): Promise<void> {
    const { awake, writeTimeoutMs } = this.#options;
    const until = awake() + writeTimeoutMs;
    for (let from = 0; from < lot.length; from += atOnce) {
      const writes = lot.slice(from, from + atOnce).map(async ({ holding, before, at }) => {
        try {
          if (awake() > until) throw unavailable("the registration changed elsewhere meanwhile");
          await this.#writeOne(holding);
        } catch (error) {
          this.#putBack(holding, before);
          for (const one of at) fail(one, told(error));
        }
      });
      await Promise.all(writes);
    }
  }

  #putBack(holding: Holding, before: Holding | undefined): void {
    const { holdings } = this.#options;
    if (!holdings.has(holding)) return;
    if (before) holdings.set(before);
    else holdings.delete(holding);
  }

  /** @throws {DiscoveryError} also when this engine is closed: a heartbeat that it took would keep nobody alive. */
  #checkService(service: string): void {
    if (this.#options.signal.aborted) throw unavailable("shutting down");
    if (!this.#catalog.service(service)) throw this.#options.replica.ready ? serviceNotFound(service) : notReached();
  }

  async #writeUnderLease(transaction: (lease: string) => Transaction): Promise<TxnResult> {
    const { keeper, writeTimeoutMs, write, clock, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const lease = await keeper.granted(writeTimeoutMs);
      try {
        return await write(transaction(lease));
      } catch (error) {
        const cause = error instanceof DiscoveryError ? error.cause : undefined;
        const expired = cause instanceof StoreError && cause.code === "lease_expired";
        if (!expired || attempt === 3) throw error;
        keeper.nudge();
        await clock.sleep(100, signal);
      }
    }
  }
}

const nothingAsked: RegisterOptions = {};

function withTtl({ ttl_ms }: Instance, options: RegisterOptions): RegisterOptions {
  return ttl_ms === undefined || options.ttlMs !== undefined ? options : { ...options, ttlMs: ttl_ms };
}

function told(error: unknown): DiscoveryError {
  if (error instanceof DiscoveryError) return error;
  return new DiscoveryError("unknown_error", "Something went wrong", { cause: error });
}
