import { ofLast } from "../../runtime/ofLast.ts";
import type { Condition, Operation, Store, Transaction, TxnResult } from "../../store/store.ts";
import type {
  ChangedOptions,
  Discovery,
  DiscoveryEvent,
  DiscoveryStatus,
  HistoryEntry,
  Instance,
  InstanceQuery,
  Leader,
  RegisterOptions,
  Registration,
  ServiceConfig,
  ServiceMeta,
  ServiceMetaUpdate,
  ServiceQuery,
  ServiceSummary,
  StateChange,
  WatchOptions,
} from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import { validateService } from "../validateService.ts";
import type { Catalog, StepResult } from "./catalog.ts";
import { Claimer } from "./claimer.ts";
import type { Clock } from "./clock.ts";
import { type DaemonInfo, daemonsWith } from "./daemonsWith.ts";
import type { EngineLog } from "./engineLog.ts";
import { entryOf } from "./entryOf.ts";
import { Expirer } from "./expirer.ts";
import type { Follower, Following } from "./follower.ts";
import { History } from "./history.ts";
import { Holdings } from "./holdings.ts";
import { configKey, daemonKey, leaderKey, metaKey, servicePrefix } from "./keys.ts";
import { LeaderNaming } from "./leaderNaming.ts";
import { LeaseKeeper } from "./leaseKeeper.ts";
import { Ownership } from "./ownership.ts";
import {
  fromStoreError,
  metaRefused,
  notManual,
  notReached,
  serviceExists,
  serviceNotFound,
  unavailable,
} from "./refusals.ts";
import { Registrations } from "./registrations.ts";
import { Replica } from "./replica.ts";
import { encodeValue } from "./storedValues.ts";
import { Waits } from "./waits.ts";
import { Watchers } from "./watchers.ts";

/** All of them set: `openEngine` gives the defaults. */
export interface EngineSettings {
  log: EngineLog;
  daemonId: string;
  address: string;
  ttlMs: number;
  leaseTtlMs: number;
  checkMs: number;
  brakeShare: number;
  brakeHoldMs: number;
  logSize: number;
  writeTimeoutMs: number;
  clock: Clock;
}

/** The Discovery contract over a Store. Made by `openEngine`. */
export class Engine implements Discovery {
  readonly #store: Store;
  readonly #settings: EngineSettings;
  readonly #replica: Replica;
  readonly #catalog: Catalog;
  readonly #watchers: Watchers;
  readonly #history = new History();
  readonly #waits = new Waits();
  readonly #registrations: Registrations;
  readonly #keeper: LeaseKeeper;
  readonly #expirer: Expirer;
  readonly #ownership: Ownership;
  readonly #naming: LeaderNaming;
  readonly #daemonsOf: (others: ReadonlyMap<string, string>) => readonly DaemonInfo[];
  readonly #closed = new AbortController();
  readonly #loops: Promise<void>[];

  constructor(store: Store, settings: EngineSettings) {
    this.#store = store;
    this.#settings = settings;
    const { log, clock, ttlMs, daemonId: daemon, address } = settings;
    const { signal } = this.#closed;
    const lease = () => this.#keeper.id;

    this.#replica = new Replica({
      store,
      clock,
      log,
      onStep: (result, rev) => this.#stepped(result, rev),
      onReset: ({ isFirst, wentBackFrom }) => {
        if (isFirst || wentBackFrom !== undefined) this.#waits.wakeAll();
        if (isFirst) this.#watchers.start();
        else if (wentBackFrom !== undefined) this.#watchers.forget(wentBackFrom);
      },
    });
    const { catalog } = this.#replica;
    this.#catalog = catalog;
    this.#daemonsOf = ofLast((others) => daemonsWith({ daemon, address }, others));
    const holdings = new Holdings(catalog);
    this.#watchers = new Watchers(catalog, settings.logSize);
    this.#naming = new LeaderNaming(store, catalog, log);
    this.#keeper = new LeaseKeeper({
      store,
      clock,
      log,
      ttlMs: settings.leaseTtlMs,
      daemon,
      address,
      onGranted: (_lease, isFirst) => {
        this.#expirer.grace();
        if (!isFirst) this.#ownership.leaseReplaced();
      },
      onAlive: () => this.#ownership.leaseAlive(),
    });
    const claimer = new Claimer({ store, catalog, holdings, clock, log, daemon, lease });
    const afterCheck = () => {
      this.#ownership.adopt();
      this.#naming.run();
    };
    const history = this.#history;
    this.#expirer = new Expirer({ store, catalog, holdings, history, lease, settings, afterCheck });
    const awake = () => this.#expirer.awake();
    const checkLease = () => this.#keeper.nudge();
    this.#ownership = new Ownership({ catalog, holdings, claimer, lease, ttlMs, awake, checkLease, signal });
    this.#registrations = new Registrations({
      store,
      replica: this.#replica,
      holdings,
      ownership: this.#ownership,
      keeper: this.#keeper,
      history,
      clock,
      daemon,
      writeTimeoutMs: settings.writeTimeoutMs,
      awake,
      write: (transaction) => this.#write(transaction),
      signal,
    });
    this.#loops = [this.#replica.run(signal), this.#keeper.run(signal), this.#expirer.run(signal)];
  }

  // ---- reads: from memory, whatever the store does

  /** Whether the store's state was read once; until then everything looks empty, and `status()` says so. */
  get ready(): boolean {
    return this.#replica.ready;
  }

  /** Resolves with `ready` as soon as it is true, or after `timeoutMs`. */
  whenReady(timeoutMs: number): Promise<boolean> {
    return this.#replica.reached(0, timeoutMs);
  }

  services({ prefix = "", after = "", limit }: ServiceQuery = {}): ServiceSummary[] {
    const summaries: ServiceSummary[] = [];
    for (const { name, config, instances } of this.#catalog.services.values()) {
      if (config && name > after && name.startsWith(prefix))
        summaries.push({ name, config, instances: instances.size });
    }
    return summaries.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, limit);
  }

  instances(service: string, query?: InstanceQuery): Instance[] | undefined {
    return this.#catalog.query(service, query, this.#settings.ttlMs);
  }

  leader(service: string): Leader | undefined {
    return this.#catalog.service(service)?.leader;
  }

  meta(service: string): ServiceMeta | undefined {
    return this.#catalog.service(service)?.meta;
  }

  /** Another one after every change of anything: while it is the same, so is every `index`. */
  revision(): number {
    return this.#catalog.steps;
  }

  /** Another one after the store's revisions went back: an `index` of before may come again, for another state. */
  epoch(): number {
    return this.#catalog.epoch;
  }

  index(service: string | undefined): number {
    return this.#catalog.index(service);
  }

  async changed(service: string | undefined, after: number, { timeoutMs, signal }: ChangedOptions): Promise<number> {
    const { clock } = this.#settings;
    const deadline = clock.now() + timeoutMs;
    const { epoch } = this.#catalog;
    for (;;) {
      const left = deadline - clock.now();
      const isNews = this.ready && this.#catalog.isNews(service, after, epoch);
      if (isNews || left <= 0 || signal?.aborted || this.#closed.signal.aborted) return this.#catalog.index(service);
      await this.#waits.wait(service, left, signal); // the end wakes all
    }
  }

  history(service: string): HistoryEntry[] {
    return this.#history.of(service);
  }

  watch(service: string | undefined, options: WatchOptions): AsyncIterable<DiscoveryEvent> {
    const subscription = this.#watchers.subscribe(service, options);
    if (this.#closed.signal.aborted) subscription.end();
    return subscription;
  }

  /** A watch without a queue, for who bounds by itself what waits for its reader: see Follower. */
  follow(service: string | undefined, follower: Follower, options: Omit<WatchOptions, "signal"> = {}): Following {
    const following = this.#watchers.follow(service, follower, options);
    if (this.#closed.signal.aborted) follower.end();
    return following;
  }

  status(): DiscoveryStatus {
    const { connected, currentAt, reason } = this.#store.status();
    const why = connected ? (this.ready ? undefined : "the store's state has not been read yet") : reason;
    return {
      ready: this.ready,
      stale: !connected || !this.ready,
      currentAt,
      ...(why === undefined ? {} : { reason: why }),
      rev: this.#catalog.rev,
      services: this.#catalog.serviceCount,
      instances: this.#catalog.instanceCount,
      brake: this.#expirer.braked,
      brakeShare: this.#settings.brakeShare,
      daemon: this.#settings.daemonId,
    };
  }

  /** The live daemons on this store, this one too; sorted by id. The same array until that changes. */
  daemons(): readonly DaemonInfo[] {
    return this.#daemonsOf(this.#catalog.daemons);
  }

  /** How many watches are open. */
  get watchers(): number {
    return this.#watchers.size;
  }

  // ---- writes

  async addService(service: string, config: ServiceConfig = {}): Promise<void> {
    validateService(service);
    const type = config.leader_type || "oldest";
    if (type !== "oldest" && type !== "manual") {
      throw new DiscoveryError("validation_error", 'discoverd: leader_type must be "oldest" or "manual"');
    }
    const key = configKey(service);
    const { ok } = await this.#write({
      if: [{ key, exists: false }],
      then: [{ op: "put", key, value: encodeValue({ leader_type: type }) }],
    });
    if (!ok) throw serviceExists(service);
  }

  async removeService(service: string): Promise<void> {
    validateService(service);
    const { ok } = await this.#write({
      if: [{ key: configKey(service), exists: true }],
      then: [{ op: "deletePrefix", prefix: servicePrefix(service) }],
    });
    if (!ok) throw serviceNotFound(service);
  }

  register(service: string, instance: Instance, options: RegisterOptions = {}): Promise<void> {
    return this.#registrations.register(service, instance, options);
  }

  registerAll(registrations: readonly Registration[]): Promise<(DiscoveryError | undefined)[]> {
    return this.#registrations.registerAll(registrations);
  }

  heartbeat(service: string, ids: readonly string[]): string[] {
    return this.#registrations.heartbeat(service, ids);
  }

  deregister(service: string, id: string): Promise<void> {
    return this.#registrations.deregister(service, id);
  }

  setState(service: string, id: string, change: StateChange): Promise<void> {
    return this.#registrations.setState(service, id, change);
  }

  async setLeader(service: string, id: string): Promise<void> {
    if (!this.ready) throw notReached();
    const state = this.#catalog.service(service);
    if (state?.config?.leader_type !== "manual") throw notManual();
    if (id === "" || id.length > 255) throw new DiscoveryError("validation_error", "discoverd: leader id must be set");
    if (state.named?.id === id) return; // the same leadership: no greater token
    const { ok } = await this.#write({
      if: [{ key: configKey(service), exists: true }],
      then: [{ op: "put", key: leaderKey(service), value: encodeValue({ id }) }],
    });
    if (!ok) throw notManual();
  }

  async setMeta(service: string, update: ServiceMetaUpdate): Promise<ServiceMeta> {
    if (!this.#catalog.service(service)) throw this.ready ? serviceNotFound(service) : notReached();
    const config = configKey(service);
    const key = metaKey(service);
    const condition: Condition = update.index === 0 ? { key, exists: false } : { key, modRev: update.index };
    const operations: Operation[] = [{ op: "put", key, value: encodeValue({ data: update.data }) }];
    const id = update.leader_id;
    if (id && this.#catalog.service(service)?.named?.id !== id) {
      operations.push({ op: "put", key: leaderKey(service), value: encodeValue({ id }) });
    }
    const { ok, rev, entries } = await this.#write({
      if: [{ key: config, exists: true }, condition],
      then: operations,
      else: [
        { op: "get", key: config },
        { op: "get", key },
      ],
    });
    if (ok) return { data: update.data, index: rev };
    const [hasConfig, current] = entries;
    throw hasConfig ? metaRefused(service, update.index, current) : serviceNotFound(service);
  }

  /** Ends watches and loops. Registrations stay in the store until the lease runs out, so that a restart finds them. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#watchers.endAll();
    this.#waits.wakeAll();
    await Promise.all(this.#loops);
    const { daemonId, log } = this.#settings;
    const signOff = this.#store
      .txn({ then: [{ op: "delete", key: daemonKey(daemonId) }] })
      .then(() => undefined)
      .catch((error: unknown) => log.debug("could not sign off from the store", { error: String(error) }));
    await Promise.race([signOff, afterOneSecond()]);
  }

  // ---- inside

  /** Resolves when our own reads show what was written. */
  async #write(transaction: Transaction): Promise<TxnResult> {
    if (this.#closed.signal.aborted) throw unavailable("shutting down");
    const result = await this.#store.txn(transaction).catch((error: unknown) => {
      throw fromStoreError(error);
    });
    if (result.ok && !(await this.#replica.reached(result.rev, this.#settings.writeTimeoutMs))) {
      throw unavailable("the write is stored, but the store's watch does not show it yet");
    }
    return result;
  }

  #stepped(result: StepResult, rev: number): void {
    for (const change of result.instances) this.#ownership.observe(change);
    this.#watchers.publish(result.events, rev, result.at);
    for (const { name, toName } of result.services) if (toName !== undefined) this.#naming.add(name);
    if (!this.ready) return; // nothing happened: it is how we found things
    for (const service of result.changed) this.#waits.wake(service);
    if (result.listChanged) this.#waits.wake(undefined);
    this.#remember(result, rev);
  }

  #remember(result: StepResult, rev: number): void {
    const history = this.#history;
    const { daemonId } = this.#settings;
    const isDaemonAlive = (daemon: string) => daemon === daemonId || this.#catalog.daemons.has(daemon);
    for (const change of result.instances) {
      const serviceExists = this.#catalog.service(change.service) !== undefined;
      const entry = entryOf(change, { rev, history, serviceExists, isDaemonAlive });
      if (entry) history.add(change.service, entry);
    }
    for (const { service, kind, instance } of result.events) {
      if (kind !== "leader" || !instance) continue;
      const { id, addr } = instance;
      history.add(service, { at: Date.now(), rev, change: "leader", id, addr, why: "elected" });
    }
  }
}

function afterOneSecond(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1000).unref?.();
  });
}
