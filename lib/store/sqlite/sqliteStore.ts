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
import { eventsOf, type WatchBatch, WatchBuffer } from "../watchBuffer.ts";
import { GroupCommit, type Pending } from "./groupCommit.ts";
import { LeaseClock } from "./leaseClock.ts";
import { sqliteError } from "./sqliteError.ts";
import { Stage } from "./stage.ts";
import type { Tables } from "./tables.ts";

type Work = (stage: Stage) => unknown;

/** How much is remembered for watchers that come with an old revision, and how time is read. */
export interface SqliteTuning {
  /** Deletions kept for replay. Default 10,000. */
  keepDeletions?: number;
  /** Seconds that a deletion is kept. Default 600. */
  keepSeconds?: number;
  /** A monotonic clock in ms. Default `performance.now`. */
  now?: () => number;
  /** Changes that wait for a slow watcher before it is made to re-read. Default 16384: some batches of registrations. */
  watchLimit?: number;
}

const minLeaseMs = 100;
const tickMs = 100;

/** The embedded store, over tables that are open. Reads are immediate; writes share commits. */
export class SqliteStore implements Store {
  readonly url: string;
  readonly capabilities: StoreCapabilities;
  readonly #file: string;
  readonly #tables: Tables;
  readonly #log: StoreLog | undefined;
  readonly #tuning: Required<SqliteTuning>;
  readonly #commits = new GroupCommit<Work, unknown>((group) => this.#commit(group));
  readonly #leases = new LeaseClock();
  readonly #watchers = new Set<{ prefix: string; buffer: WatchBuffer }>();
  readonly #ticker: ReturnType<typeof setInterval>;
  #rev: Revision;
  #compactRev: Revision;
  #deletionsUntilTrim: number;
  #expiring = false;
  #lastTick: number;
  #failure: StoreError | undefined;
  #closed = false;

  constructor(file: string, tables: Tables, log: StoreLog | undefined, tuning: SqliteTuning) {
    this.#file = file;
    this.url = file === ":memory:" ? "memory:" : `sqlite:${file}`;
    this.#tables = tables;
    this.#log = log;
    this.#tuning = {
      keepDeletions: 10_000,
      keepSeconds: 600,
      now: () => performance.now(),
      watchLimit: 16_384,
      ...tuning,
    };
    this.capabilities = {
      orderedAcrossKeys: true,
      atomicList: true,
      maxOperations: 128,
      maxValueBytes: 512 * 1024,
      minLeaseMs,
      leaseSlackMs: 500,
      volatile: file === ":memory:",
    };
    const { rev, compactRev } = tables.revisions();
    this.#rev = rev;
    this.#compactRev = compactRev;
    this.#deletionsUntilTrim = 0; // the first deletion also trims what the last process left
    this.#lastTick = this.#tuning.now();
    // After a restart each lease has its full TTL again: its owner could not renew while nobody listened.
    for (const lease of tables.leases()) this.#leases.start(lease.id, lease.ttlMs, this.#lastTick);
    this.#ticker = setInterval(() => this.#tick(), tickMs);
    this.#ticker.unref();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return this.#read(() => this.#tables.get(key));
  }

  async list(prefix: string): Promise<Snapshot> {
    checkPrefix(prefix);
    return this.#read(() => ({ rev: this.#rev, entries: this.#tables.list(prefix) }));
  }

  async txn(transaction: Transaction): Promise<TxnResult> {
    checkTransaction(transaction, this.capabilities);
    return await this.#write((stage) => stage.txn(transaction), transaction.then.length);
  }

  async txnEach(transactions: readonly Transaction[]): Promise<TxnResult[]> {
    let operations = 0;
    for (const transaction of transactions) {
      checkTransaction(transaction, this.capabilities);
      operations += transaction.then.length;
    }
    return await this.#write((stage) => transactions.map((transaction) => stage.txn(transaction)), operations);
  }

  watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncIterable<StoreEvent> {
    checkPrefix(prefix);
    return this.#watch(prefix, from, signal);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs);
    const lease = { id: newLeaseId(), ttlMs: Math.max(minLeaseMs, Math.ceil(ttlMs)) };
    await this.#write((stage) => stage.grantLease(lease));
    this.#leases.start(lease.id, lease.ttlMs, this.#tuning.now());
    return lease;
  }

  async keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    this.#mustBeOpen();
    const now = this.#tuning.now();
    return new Map(leases.map((id) => [id, this.#leases.renew(id, now)]));
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    await this.#write((stage) => stage.endLeases([lease]));
    this.#leases.end(lease);
  }

  status(): StoreStatus {
    if (this.#closed) return { connected: false, currentAt: Date.now(), reason: "closed" };
    if (this.#failure) return { connected: false, currentAt: Date.now(), reason: this.#failure.message };
    return { connected: true, currentAt: Date.now() };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#commits.flush();
    this.#closed = true;
    clearInterval(this.#ticker);
    for (const { buffer } of this.#watchers) buffer.end();
    this.#watchers.clear();
    this.#tables.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new StoreError("closed", `store ${this.#file} is closed`);
  }

  #read<T>(what: () => T): T {
    this.#mustBeOpen();
    try {
      return what();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async #write<T>(work: (stage: Stage) => T, operations = 1): Promise<T> {
    this.#mustBeOpen();
    return (await this.#commits.submit(work, operations)) as T;
  }

  /** One group, one transaction, one fsync. A refused request fails alone; a failing disk fails the group. */
  #commit(group: Pending<Work, unknown>[]): void {
    const stage = new Stage(this.#tables, this.#rev);
    const settle: (() => void)[] = [];
    try {
      this.#tables.begin();
      for (const { request, resolve, reject } of group) {
        try {
          const result = request(stage);
          settle.push(() => resolve(result));
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          settle.push(() => reject(error));
        }
      }
      if (stage.rev !== this.#rev) this.#tables.setRevision(stage.rev);
      this.#tables.commit();
    } catch (error) {
      const told = this.#failed(error);
      this.#rollback();
      for (const { reject } of group) reject(told);
      return;
    }
    if (this.#failure) this.#log?.info("store works again", { file: this.#file });
    this.#failure = undefined;
    this.#rev = stage.rev;
    this.#publish(stage);
    for (const done of settle) done();
    this.#trim(stage.deletions);
  }

  #rollback(): void {
    try {
      this.#tables.rollback();
    } catch (error) {
      this.#log?.warn("store could not roll back", { file: this.#file, error: String(error) });
    }
  }

  #publish(stage: Stage): void {
    if (stage.changes.length === 0) return;
    for (const { prefix, buffer } of this.#watchers) {
      const mine = stage.changes.filter((change) =>
        (change.type === "put" ? change.entry.key : change.key).startsWith(prefix),
      );
      if (mine.length > 0) buffer.push(mine, stage.rev);
    }
  }

  #trim(deletions: number): void {
    this.#deletionsUntilTrim -= deletions;
    if (deletions === 0 || this.#deletionsUntilTrim > 0) return;
    const { keepDeletions, keepSeconds } = this.#tuning;
    this.#deletionsUntilTrim = Math.ceil(keepDeletions / 10);
    try {
      this.#compactRev = this.#tables.trim(keepDeletions, keepSeconds);
    } catch (error) {
      this.#failed(error);
    }
  }

  async *#watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncGenerator<StoreEvent> {
    if (signal.aborted || this.#closed) return;
    const buffer = new WatchBuffer(this.#tuning.watchLimit);
    const watcher = { prefix, buffer };
    const end = () => buffer.end();
    signal.addEventListener("abort", end, { once: true });
    this.#watchers.add(watcher);
    buffer.lose(); // the first batch is read, like every one that a slow consumer missed
    let cursor = from;
    try {
      for (let batch = await buffer.take(); batch; batch = await buffer.take()) {
        if (this.#closed) return;
        const whole = batch.lost ? this.#replay(prefix, cursor) : batch;
        if (!whole) {
          await new Promise((resolve) => setTimeout(resolve, 500)); // the disk fails: status() tells
          buffer.lose();
          continue;
        }
        cursor = whole.rev;
        yield* eventsOf(whole, () => buffer.ended);
      }
    } finally {
      signal.removeEventListener("abort", end);
      this.#watchers.delete(watcher);
    }
  }

  /** Undefined when the disk failed. */
  #replay(prefix: string, from: Revision | undefined): WatchBatch | undefined {
    const rev = this.#rev;
    try {
      if (from !== undefined && from >= this.#compactRev && from <= rev) {
        return { changes: this.#tables.changesSince(prefix, from), rev, lost: false };
      }
      return { snapshot: { rev, entries: this.#tables.list(prefix) }, changes: [], rev, lost: false };
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #tick(): void {
    const now = this.#tuning.now();
    const stallMs = now - this.#lastTick - tickMs;
    this.#lastTick = now;
    if (stallMs > 0) this.#leases.postpone(stallMs);
    if (this.#expiring) return;
    const due = this.#leases.due(now);
    if (due.length === 0) return;
    this.#expiring = true;
    this.#expire(due)
      .catch((error) => this.#log?.warn("leases could not be ended; tried again", { error: String(error) }))
      .finally(() => {
        this.#expiring = false;
      });
  }

  async #expire(due: readonly LeaseId[]): Promise<void> {
    const ended = await this.#write((stage) => {
      const still = due.filter((id) => this.#leases.isDue(id, this.#tuning.now())); // a renewal may have come meanwhile
      stage.endLeases(still);
      return still;
    });
    for (const id of ended) this.#leases.end(id);
  }

  #failed(error: unknown): StoreError {
    const told = sqliteError(error, this.#file);
    if (this.#failure?.message !== told.message) this.#log?.warn("store fails", { error: told.message });
    this.#failure = told;
    return told;
  }
}

function newLeaseId(): LeaseId {
  return crypto.getRandomValues(Buffer.alloc(8)).toString("hex");
}
