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
import { EtcdError, toEtcdError } from "./etcdError.ts";
import type { EtcdTarget } from "./etcdUrl.ts";
import { type FollowContext, followPrefix } from "./followPrefix.ts";
import { EtcdGateway } from "./gateway.ts";
import {
  base64,
  Keys,
  type LeaseAnswer,
  parseAnswer,
  type RangeAnswer,
  rangeOf,
  revisionOf,
  type TxnAnswer,
} from "./wire.ts";

/** Times of an etcd store; tests shorten them. */
export interface EtcdTuning {
  /** For one call over all members. Default 5000 ms. */
  timeoutMs?: number;
  /** Between two reads that see whether the server lives. Default 5000 ms. */
  probeMs?: number;
  /** After which a silent watch is opened anew. Default 60,000 ms. */
  silentMs?: number;
  /** Entries in one answer of a list. Default 5000. */
  pageSize?: number;
  /** Changes that wait for a slow watcher before it gets a reset. Default 4096. */
  watchLimit?: number;
}

/** etcd 3.3 and later by its JSON gateway. */
export class EtcdStore implements Store {
  readonly url: string;
  readonly capabilities: StoreCapabilities = {
    orderedAcrossKeys: true,
    atomicList: true,
    maxOperations: 128,
    maxValueBytes: 512 * 1024,
    minLeaseMs: 2000,
    leaseSlackMs: 1500,
    volatile: false,
  };
  readonly #gateway: EtcdGateway;
  readonly #keys: Keys;
  readonly #tuning: Required<EtcdTuning>;
  readonly #buffers = new Set<WatchBuffer>();
  #probe: ReturnType<typeof setTimeout> | undefined;
  /** Told by the last list. */
  #cluster: string | undefined;
  #closed = false;

  constructor(target: EtcdTarget, log: StoreLog | undefined, tuning: EtcdTuning) {
    this.url = target.url;
    this.#tuning = { timeoutMs: 5000, probeMs: 5000, silentMs: 60_000, pageSize: 5000, watchLimit: 4096, ...tuning };
    this.#gateway = new EtcdGateway(target, log, this.#tuning.timeoutMs);
    this.#keys = new Keys(target.prefix);
    this.#look();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    const answer = await this.#call<RangeAnswer>("/kv/range", { key: base64(this.#keys.full(key)) }, true);
    return answer.kvs?.[0] && this.#keys.entry(answer.kvs[0]);
  }

  async list(prefix: string): Promise<Snapshot> {
    checkPrefix(prefix);
    for (let tries = 3; ; tries--) {
      try {
        return await this.#listPages(prefix);
      } catch (error) {
        // Compacted between two pages: the list begins again.
        if (tries <= 1 || !(error instanceof EtcdError && /has been compacted/.test(error.detail))) throw error;
      }
    }
  }

  async txn(transaction: Transaction): Promise<TxnResult> {
    checkTransaction(transaction, this.capabilities);
    const { if: conditions = [], then, else: otherwise = [] } = transaction;
    const body = {
      compare: conditions.map((condition) => this.#keys.compare(condition)),
      success: then.map((operation) => this.#keys.operation(operation)),
      failure: otherwise.map((operation) => this.#keys.operation(operation)),
    };
    const repeatable = then.every((operation) => operation.op === "get");
    const answer = await this.#call<TxnAnswer>("/kv/txn", body, repeatable);
    const ok = answer.succeeded === true;
    const entries: (Entry | undefined)[] = [];
    let wrote = false;
    for (const [i, operation] of (ok ? then : otherwise).entries()) {
      const done = answer.responses?.[i];
      if (operation.op === "put") wrote = true;
      else if (operation.op !== "get") wrote ||= Number(done?.response_delete_range?.deleted ?? 0) > 0;
      else entries.push(done?.response_range?.kvs?.[0] && this.#keys.entry(done.response_range.kvs[0]));
    }
    return { ok, rev: revisionOf(answer.header), wrote, entries };
  }

  watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncIterable<StoreEvent> {
    checkPrefix(prefix);
    return this.#watch(prefix, from, signal);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs);
    const wanted = Math.ceil(Math.max(ttlMs, this.capabilities.minLeaseMs) / 1000);
    const answer = await this.#call<LeaseAnswer>("/lease/grant", { TTL: String(wanted), ID: "0" }, true);
    if (answer.ID === undefined) throw new StoreError("unavailable", "etcd granted a lease without an id");
    return { id: answer.ID, ttlMs: Number(answer.TTL) * 1000 };
  }

  async keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    const result = new Map<LeaseId, number | "expired">();
    // Bounded, so that one call cannot take longer than the leases have.
    for (let i = 0; i < leases.length; i += 256) {
      const some = leases.slice(i, i + 256);
      const body = some.map((id) => JSON.stringify({ ID: leaseNumber(id) })).join("\n");
      const text = await this.#gateway.call("/lease/keepalive", body, true);
      for (const line of text.split("\n")) {
        if (line.trim() === "") continue;
        const { result: answer } = parseAnswer<{ result?: LeaseAnswer }>(line);
        if (!answer) throw toEtcdError("keepalive", line, 200);
        if (answer.ID !== undefined)
          result.set(answer.ID, Number(answer.TTL ?? 0) > 0 ? Number(answer.TTL) * 1000 : "expired");
      }
      for (const id of some) {
        if (!result.has(id)) throw new StoreError("unavailable", `etcd did not answer for lease ${id}`);
      }
    }
    return result;
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    try {
      await this.#call("/lease/revoke", { ID: leaseNumber(lease) }, true);
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "lease_expired")) throw error;
    }
  }

  status(): StoreStatus {
    return this.#gateway.status();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#probe);
    for (const buffer of this.#buffers) buffer.end();
    this.#gateway.close();
  }

  async #listPages(prefix: string): Promise<Snapshot> {
    const range = rangeOf(this.#keys.full(prefix));
    const entries: Entry[] = [];
    let { key } = range;
    let rev: Revision | undefined;
    for (;;) {
      const at = rev === undefined ? {} : { revision: String(rev) };
      const body = { key, range_end: range.range_end, limit: String(this.#tuning.pageSize), ...at };
      const { header, kvs = [], more } = await this.#call<RangeAnswer>("/kv/range", body, true);
      rev ??= revisionOf(header);
      this.#cluster = header?.cluster_id;
      for (const wire of kvs) {
        const entry = this.#keys.entry(wire);
        if (entry) entries.push(entry);
      }
      const last = kvs.at(-1)?.key;
      if (!more || last === undefined) return { rev, entries };
      key = base64(Buffer.concat([Buffer.from(last, "base64"), Buffer.of(0)]));
    }
  }

  async *#watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncGenerator<StoreEvent> {
    if (signal.aborted || this.#closed) return;
    const buffer = new WatchBuffer(this.#tuning.watchLimit);
    const end = () => buffer.end();
    signal.addEventListener("abort", end, { once: true });
    this.#buffers.add(buffer);
    const context: FollowContext = {
      gateway: this.#gateway,
      keys: this.#keys,
      silentMs: this.#tuning.silentMs,
      list: (under) => this.list(under),
      cluster: () => this.#cluster,
      currentRevision: async () =>
        revisionOf((await this.#call<RangeAnswer>("/kv/range", this.#oneKey(), true)).header),
    };
    void followPrefix(context, prefix, from, buffer);
    try {
      for (let batch = await buffer.take(); batch; batch = await buffer.take()) {
        if (!batch.lost) yield* eventsOf(batch, () => buffer.ended); // after a loss, followPrefix sends a reset
      }
    } finally {
      signal.removeEventListener("abort", end);
      buffer.end();
      this.#buffers.delete(buffer);
    }
  }

  #oneKey(): Record<string, unknown> {
    return { key: base64(this.#keys.full("/")), keys_only: true, limit: "1" };
  }

  /** Reads one key now and then: notices a dead member for the watches, and keeps `status()` true. */
  #look(): void {
    const again = () => {
      if (this.#closed) return;
      this.#probe = setTimeout(() => this.#look(), this.#tuning.probeMs);
      this.#probe.unref();
    };
    this.#call("/kv/range", this.#oneKey(), true).then(again, again); // status() tells of a failure
  }

  async #call<T extends object>(path: string, body: unknown, repeatable: boolean): Promise<T> {
    return parseAnswer<T>(await this.#gateway.call(path, JSON.stringify(body), repeatable));
  }
}

/** etcd's lease ids are decimal numbers; another store's cannot exist in etcd. */
function leaseNumber(id: LeaseId): string {
  if (!/^-?\d{1,19}$/.test(id)) throw new StoreError("invalid", `"${id}" is not a lease id of etcd`);
  return id;
}
