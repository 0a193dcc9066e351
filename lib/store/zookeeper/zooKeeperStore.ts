import { connectZooKeeper, type SessionState, type ZooKeeper } from "../../zookeeper/index.ts";
import { checkKey, checkPrefix, checkTransaction, checkTtl } from "../checkTransaction.ts";
import type { StoreLog } from "../openStore.ts";
import type {
  Entry,
  Lease,
  LeaseId,
  Revision,
  Snapshot,
  Store,
  StoreCapabilities,
  StoreEvent,
  StoreStatus,
  Transaction,
  TxnResult,
} from "../store.ts";
import { StoreError } from "../storeError.ts";
import { eventsOf, WatchBuffer } from "../watchBuffer.ts";
import { entryOf } from "./envelope.ts";
import { Feed } from "./feed.ts";
import { Layout } from "./layout.ts";
import { Leases } from "./leases.ts";
import { Paths } from "./paths.ts";
import { entriesUnder } from "./readTree.ts";
import { storeErrorOf } from "./storeErrorOf.ts";
import { Transactions } from "./transactions.ts";
import type { ZooKeeperTarget } from "./zooKeeperUrl.ts";

/** Times of a ZooKeeper store; tests shorten them. */
export interface ZooKeeperTuning {
  /** For one request. Default 5000 ms. */
  timeoutMs?: number;
  /** Of the store's own session, which holds nothing: it tells how soon a dead server is noticed. Default 6000 ms. */
  sessionTimeoutMs?: number;
  /** Changes that wait for a slow watcher before it gets a reset. Default 4096. */
  watchLimit?: number;
}

/** ZooKeeper 3.6 and later: keys are znodes (paths.ts), a lease is a session, a watch reads again what ZooKeeper says has changed. */
export class ZooKeeperStore implements Store {
  readonly url: string;
  readonly #client: ZooKeeper;
  readonly #paths: Paths;
  readonly #transactions: Transactions;
  readonly #leases: Leases;
  readonly #feed: Feed;
  readonly #log: StoreLog | undefined;
  readonly #watchLimit: number;
  readonly #buffers = new Set<WatchBuffer>();
  /** The server's tick as its default is; more when it was seen to round up a session. */
  #tickMs = 2000;
  #connectedAt: number | undefined;
  #wasConnected = false;
  /** The last call was refused: for status. */
  #refusal: string | undefined;
  #closed = false;

  constructor(target: ZooKeeperTarget, log: StoreLog | undefined, tuning: ZooKeeperTuning) {
    const { timeoutMs = 5000, sessionTimeoutMs = 6000, watchLimit = 4096 } = tuning;
    this.url = target.url;
    this.#log = log;
    this.#watchLimit = watchLimit;
    this.#paths = new Paths(target.root);
    const connect = { ...target.connect, log };
    this.#client = connectZooKeeper({
      ...connect,
      sessionTimeoutMs,
      requestTimeoutMs: timeoutMs,
      renew: true,
      onState: (state) => this.#onState(state, sessionTimeoutMs),
      onWatch: (event) => this.#feed.onWatch(event),
    });
    this.#transactions = new Transactions(this.#client, this.#paths, new Layout(this.#client, this.#paths));
    this.#leases = new Leases(connect, timeoutMs, () => this.#connectedAt);
    this.#feed = new Feed({
      client: this.#client,
      paths: this.#paths,
      log,
      list: (prefix) => this.list(prefix),
      failed: (error) => void this.#told(error),
    });
  }

  get capabilities(): StoreCapabilities {
    return {
      orderedAcrossKeys: false,
      atomicList: false,
      maxOperations: 128,
      maxValueBytes: 512 * 1024,
      minLeaseMs: 2 * this.#tickMs,
      leaseSlackMs: this.#tickMs + 1000,
      volatile: false,
    };
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return await this.#call(async () => {
      const [, { node }] = await Promise.all([this.#sync(), this.#client.getData(this.#paths.of(key))]);
      return node && entryOf(key, node);
    });
  }

  async list(prefix: string): Promise<Snapshot> {
    checkPrefix(prefix);
    return await this.#call(async () => {
      this.#feed.begin();
      const { zxid: rev } = await this.#sync();
      return { rev, entries: await entriesUnder(this.#client, this.#paths, prefix) };
    });
  }

  async txn(transaction: Transaction): Promise<TxnResult> {
    checkTransaction(transaction, this.capabilities);
    return await this.#call(() => this.#transactions.run(transaction, (lease) => this.#leases.client(lease)));
  }

  watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncIterable<StoreEvent> {
    checkPrefix(prefix);
    return this.#watch(prefix, from, signal);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs);
    const lease = await this.#call(() => this.#leases.grant(ttlMs));
    this.#learnTick(ttlMs, lease.ttlMs);
    return lease;
  }

  async keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    return await this.#call(() => this.#leases.keepAlive(leases));
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    await this.#call(() => this.#leases.revoke(lease));
  }

  status(): StoreStatus {
    const { state, heardAt } = this.#client;
    if (this.#closed) return { connected: false, currentAt: heardAt, reason: "closed" };
    if (state.state === "connected" && this.#refusal === undefined) return { connected: true, currentAt: heardAt };
    const reason = this.#refusal ?? (state.state === "disconnected" ? state.reason : "the session expired");
    return { connected: false, currentAt: heardAt, reason };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const buffer of this.#buffers) buffer.end();
    this.#leases.close();
    if (this.#client.state.state !== "connected") {
      this.#client.abandon();
      return;
    }
    const late = setTimeout(() => this.#client.abandon(), 1000);
    await this.#client.close().catch(() => {}); // then the session runs out: it holds nothing
    clearTimeout(late);
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError("closed", `store ${this.url} is closed`);
    try {
      const result = await work();
      this.#refusal = undefined;
      return result;
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): StoreError {
    if (this.#closed) return new StoreError("closed", `store ${this.url} is closed`);
    const told = storeErrorOf(error);
    if (told.code === "unauthorized") {
      if (this.#refusal !== told.message) this.#log?.warn("ZooKeeper refuses this login", { error: told.message });
      this.#refusal = told.message;
    }
    return told;
  }

  /** Reads after it see what was written before it, anywhere. */
  #sync(): Promise<{ zxid: number }> {
    return this.#client.sync(this.#paths.root);
  }

  #onState(state: SessionState, askedMs: number): void {
    if (state.state === "connected") {
      this.#connectedAt = Date.now();
      this.#learnTick(askedMs, state.timeoutMs);
      if (!this.#wasConnected) this.#log?.info("ZooKeeper answers", { server: state.server });
      this.#wasConnected = true;
    } else {
      this.#connectedAt = undefined;
      if (this.#wasConnected && state.state === "disconnected") {
        this.#log?.warn("ZooKeeper does not answer", { error: state.reason });
        this.#wasConnected = false;
      }
    }
    this.#feed?.onState(state);
  }

  /** A session that is longer than it was asked to be has the shortest time that there is: two ticks. */
  #learnTick(askedMs: number, grantedMs: number): void {
    if (grantedMs > askedMs) this.#tickMs = Math.max(this.#tickMs, Math.ceil(grantedMs / 2));
  }

  async *#watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncGenerator<StoreEvent> {
    if (signal.aborted || this.#closed) return;
    const buffer = new WatchBuffer(this.#watchLimit);
    const end = () => buffer.end();
    signal.addEventListener("abort", end, { once: true });
    this.#buffers.add(buffer);
    void this.#feed.serve(prefix, from, buffer);
    try {
      for (let batch = await buffer.take(); batch; batch = await buffer.take()) {
        if (!batch.lost) yield* eventsOf(batch, () => buffer.ended); // after a loss, the feed sends a reset
      }
    } finally {
      signal.removeEventListener("abort", end);
      buffer.end();
      this.#buffers.delete(buffer);
    }
  }
}
