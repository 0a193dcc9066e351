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
import type { Listed } from "./compareLists.ts";
import { type ConsulAnswer, ConsulClient } from "./consulClient.ts";
import { ConsulError } from "./consulError.ts";
import type { ConsulTarget } from "./consulUrl.ts";
import { followPrefix, type ListQuestion } from "./followPrefix.ts";
import { maxOperations, planTxn, readResults, refusalOf } from "./planTxn.ts";
import { checkSession, Sessions } from "./sessions.ts";
import { Keys, parseEntries, parseJson, parseTxn, pathPrefix, type WireOperation } from "./wire.ts";

/** Times of a Consul store; tests shorten them. */
export interface ConsulTuning {
  /** For one call over all agents. Default 5000 ms. */
  timeoutMs?: number;
  /** Between two looks at the leader and at the index of the whole store. Default 3000 ms. */
  probeMs?: number;
  /** How long Consul may wait with the answer to a watch. Default 300,000 ms, its most is 600,000. */
  waitMs?: number;
  /** After which a watch that is silent while the store changes is asked anew. Default 60,000 ms. */
  silentMs?: number;
  /** Changes that wait for a slow watcher before it gets a reset. Default 4096. */
  watchLimit?: number;
}

/** How often a transaction is planned anew because what it rests on had changed. */
const maxPlans = 30;

/**
 * Consul 1.14 and later (for the verb get-or-empty) by its HTTP API: its KV store, and sessions as leases.
 *
 * A lease longer than `minLeaseMs` lives up to twice its TTL when it is lost: Consul waits that long.
 */
export class ConsulStore implements Store {
  readonly url: string;
  readonly capabilities: StoreCapabilities = {
    orderedAcrossKeys: false, // a watch compares two lists
    atomicList: true,
    maxOperations,
    // A transaction's body is 512 KiB (txn_max_req_len), with the value in base64, the keys, and what is around them.
    maxValueBytes: 376 * 1024,
    minLeaseMs: 10_000,
    leaseSlackMs: 12_000, // the TTL once more, and the deletes
    volatile: false,
  };
  readonly #client: ConsulClient;
  readonly #sessions: Sessions;
  readonly #keys: Keys;
  readonly #tuning: Required<ConsulTuning>;
  readonly #buffers = new Set<WatchBuffer>();
  readonly #onIndex = new Set<(index: number) => void>();
  #leader: { endpoint: string; address: string } | undefined;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(target: ConsulTarget, log: StoreLog | undefined, tuning: ConsulTuning) {
    this.url = target.url;
    this.#tuning = { timeoutMs: 5000, probeMs: 3000, waitMs: 300_000, silentMs: 60_000, watchLimit: 4096, ...tuning };
    this.#client = new ConsulClient(target, log, this.#tuning.timeoutMs);
    this.#sessions = new Sessions(this.#client);
    this.#keys = new Keys(target.prefix);
    void this.#look();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    return (await this.#read([key])).get(key);
  }

  async list(prefix: string): Promise<Snapshot> {
    checkPrefix(prefix);
    const path = this.#listPath(prefix, "consistent");
    const listed = await this.#listed(prefix, await this.#client.call("GET", path, "", true), true);
    return { rev: listed.index, entries: listed.entries.map((wire) => this.#keys.entry(wire)) };
  }

  async txn(transaction: Transaction): Promise<TxnResult> {
    checkTransaction(transaction, this.capabilities);
    for (const operation of transaction.then) {
      if (operation.op === "put" && operation.lease !== undefined) checkSession(operation.lease);
    }
    const nonce = Math.floor(Math.random() * 2 ** 48) + 1;
    let holders: ReadonlyMap<string, string> = new Map();
    for (let tries = 1; tries <= maxPlans; tries++) {
      const seen = await this.#seen(transaction);
      if (!seen) return await this.#otherwise(transaction);
      const plan = planTxn(this.#keys, transaction, { holders, seen, nonce });
      const { results, errors } = await this.#transact(
        plan.steps.map(({ wire }) => wire),
        plan.writes,
      );
      if (errors.length === 0) {
        const { complete, ...outcome } = readResults(this.#keys, plan, results);
        if (!complete) throw this.#hidden();
        return { ok: true, ...outcome };
      }
      const refusal = refusalOf(plan, errors);
      if (refusal === "condition") return await this.#otherwise(transaction);
      if (refusal === "other") throw this.#refused(errors);
      holders = await this.#holders(transaction);
      if (tries > 2) await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * Math.min(tries, 10)));
    }
    throw new StoreError("unavailable", `the keys of a transaction changed ${maxPlans} times while it was tried`);
  }

  watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncIterable<StoreEvent> {
    checkPrefix(prefix);
    return this.#watch(prefix, from, signal);
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs);
    return await this.#sessions.create(Math.max(ttlMs, this.capabilities.minLeaseMs));
  }

  async keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    return await this.#sessions.renew(leases);
  }

  async revokeLease(lease: LeaseId): Promise<void> {
    await this.#sessions.destroy(lease);
  }

  status(): StoreStatus {
    return this.#client.status();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#probe);
    for (const buffer of this.#buffers) buffer.end();
    this.#client.close();
  }

  async *#watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncGenerator<StoreEvent> {
    if (signal.aborted || this.#closed) return;
    const buffer = new WatchBuffer(this.#tuning.watchLimit);
    const end = () => buffer.end();
    signal.addEventListener("abort", end, { once: true });
    this.#buffers.add(buffer);
    const context = {
      keys: this.#keys,
      silentMs: this.#tuning.silentMs,
      ask: (under: string, index: number) => this.#ask(under, index),
      failed: (error: StoreError) => this.#client.failed(error),
      onIndex: (callback: (index: number) => void) => {
        this.#onIndex.add(callback);
        return () => this.#onIndex.delete(callback);
      },
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

  #ask(prefix: string, index: number): ListQuestion {
    // Up to a tenth less, so that the watches of many do not come back together.
    const waitMs = Math.ceil(this.#tuning.waitMs * (0.9 + Math.random() / 10));
    const query = index === 0 ? "consistent" : `consistent&index=${index}&wait=${waitMs}ms`;
    const question = this.#client.ask(this.#listPath(prefix, query), index === 0 ? 0 : waitMs);
    const listed = question.answer.then(async (answer) => {
      const found = await this.#listed(prefix, answer, index === 0);
      this.#client.alive();
      return found;
    });
    return { listed, end: question.end };
  }

  #listPath(prefix: string, query: string): string {
    return `/v1/kv/${pathPrefix(this.#keys.full(prefix))}?recurse&${query}`;
  }

  /** `first`: no right to read looks like an empty prefix, so that is looked into. */
  async #listed(prefix: string, { status, text, headers }: ConsulAnswer, first: boolean): Promise<Listed> {
    const index = Number(headers.get("x-consul-index") ?? Number.NaN);
    if (!Number.isSafeInteger(index)) throw new StoreError("unavailable", `this is not Consul: ${text.slice(0, 100)}`);
    if (headers.get("x-consul-results-filtered-by-acls") === "true") throw this.#hidden();
    const full = this.#keys.full(prefix);
    const entries = status === 404 ? [] : parseEntries(text).filter(({ Key }) => Key.startsWith(full));
    if (first && entries.length === 0) await this.#storeIndex();
    return { index, entries };
  }

  /** The index of the whole KV store: what Consul says of a key that is not there. @throws {StoreError} unauthorized without the right to read */
  async #storeIndex(): Promise<number> {
    const path = `/v1/kv/${this.#keys.full("/~probe")}?consistent`;
    const { headers } = await this.#client.call("GET", path, "", true);
    return Number(headers.get("x-consul-index") ?? 0);
  }

  /** Looks at the leader and the index now and then: finds out what a watch that waits cannot, and keeps `status()` true. */
  async #look(): Promise<void> {
    try {
      const { endpoint } = this.#client;
      const { text } = await this.#client.call("GET", "/v1/status/leader", "", true, true);
      const address = String(parseJson(text));
      if (address === "") this.#client.leaderless();
      // What the former leader was asked may wait there for ever.
      else if (this.#leader?.endpoint === endpoint && this.#leader.address !== address) this.#client.anew();
      if (address !== "") {
        this.#leader = { endpoint, address };
        const index = await this.#storeIndex();
        for (const tell of [...this.#onIndex]) tell(index);
      }
    } catch (error) {
      // The client has noted it for status(); what is no answer of Consul's is noted here.
      if (error instanceof StoreError && error.retry) this.#client.failed(error);
    }
    if (this.#closed) return;
    this.#probe = setTimeout(() => void this.#look(), this.#tuning.probeMs);
    this.#probe.unref();
  }

  /** What a transaction that was refused reads instead. */
  async #otherwise(transaction: Transaction): Promise<TxnResult> {
    const wanted = (transaction.else ?? []).map(({ key }) => key);
    const found = await this.#read(wanted);
    const entries = wanted.map((key) => found.get(key));
    const rev = Math.max(0, ...entries.map((entry) => entry?.modRev ?? 0));
    return { ok: false, rev, wrote: false, entries };
  }

  /** The entries that `createRev` conditions name; undefined when one does not hold. */
  async #seen({ if: conditions = [] }: Transaction): Promise<Map<string, Entry | undefined> | undefined> {
    const wanted = conditions.filter((condition) => "createRev" in condition && condition.createRev !== 0);
    const seen = await this.#read(wanted.map(({ key }) => key));
    const holds = wanted.every(
      (condition) => "createRev" in condition && seen.get(condition.key)?.createRev === condition.createRev,
    );
    return holds ? seen : undefined;
  }

  async #holders({ then }: Transaction): Promise<Map<string, string>> {
    const holders = new Map<string, string>();
    const puts = then.filter(({ op }) => op === "put").map((operation) => ("key" in operation ? operation.key : ""));
    for (const [key, entry] of await this.#read(puts)) if (entry?.lease !== undefined) holders.set(key, entry.lease);
    return holders;
  }

  async #read(wanted: readonly string[]): Promise<Map<string, Entry | undefined>> {
    const found = new Map<string, Entry | undefined>();
    if (wanted.length === 0) return found;
    const steps = wanted.map((key): WireOperation => ({ Verb: "get-or-empty", Key: this.#keys.full(key) }));
    const { results, errors } = await this.#transact(steps, false);
    if (errors.length > 0) throw this.#refused(errors);
    if (results.length !== wanted.length) throw this.#hidden();
    for (const wire of results)
      found.set(this.#keys.key(wire.Key), wire.CreateIndex > 0 ? this.#keys.entry(wire) : undefined);
    return found;
  }

  async #transact(operations: readonly WireOperation[], writes: boolean): Promise<ReturnType<typeof parseTxn>> {
    const body = JSON.stringify(operations.map((KV) => ({ KV })));
    const { status, text } = await this.#client.call("PUT", `/v1/txn${writes ? "" : "?consistent"}`, body, !writes);
    if (status === 404) throw new StoreError("unavailable", `this is not Consul: ${text.slice(0, 100)}`);
    const answer = parseTxn(text);
    if (status === 409 && answer.errors.length === 0) throw new ConsulError(this.#client.endpoint, 409, text);
    return answer;
  }

  #refused(errors: readonly { what: string }[]): StoreError {
    const told = errors.map(({ what }) => new ConsulError(this.#client.endpoint, 409, what));
    const error = told.find(({ code }) => code !== "unavailable") ?? told[0];
    return error ?? new StoreError("unavailable", "consul refused a transaction without a reason");
  }

  #hidden(): StoreError {
    const error = new StoreError("unauthorized", `the token may not read all of ${this.url}`);
    this.#client.failed(error);
    return error;
  }
}
