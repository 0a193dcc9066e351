import type { Condition, Operation, Store, Transaction } from "../../store/store.ts";

/** One key's conditional write, to be sent with others. No two of a lot have the same key. */
export interface BatchItem<T> {
  item: T;
  conditions: Condition[];
  operation: Operation;
  /**
   * The service in which it makes an instance. A transaction makes one for each service at most: what is made together has one
   * revision, and that is an instance's index, which is its own.
   */
  creates?: string;
}

export interface BatchResult<T> {
  /** Those whose own condition did not hold. */
  refused: T[];
  /** Revision of the last write, 0 when there was none. */
  rev: number;
}

/** How many transactions are under way at once: embedded stores and etcd commit those together. */
const lanes = 128;

/**
 * Sends many conditional writes in few transactions: together first, and one by one where a condition of the lot failed.
 * @throws {StoreError} some may be written by then, and some not.
 */
export async function writeInBatches<T>(store: Store, items: readonly BatchItem<T>[]): Promise<BatchResult<T>> {
  const result: BatchResult<T> = { refused: [], rev: 0 };
  const chunks = chunksOf(items, store.capabilities.maxOperations);
  const left = (store.txnEach ? await sendAll(store.txnEach.bind(store), chunks, result) : chunks).values();
  const lane = async () => {
    for (const chunk of left) {
      if (chunk.length > 1 && !store.txnEach && (await send(store, chunk, result))) continue;
      for (const one of chunk) if (!(await send(store, [one], result))) result.refused.push(one.item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, chunks.length) }, lane));
  return result;
}

/** Those that were refused. */
async function sendAll<T>(
  txnEach: NonNullable<Store["txnEach"]>,
  chunks: BatchItem<T>[][],
  result: BatchResult<T>,
): Promise<BatchItem<T>[][]> {
  if (chunks.length === 0) return chunks;
  const outcomes = await txnEach(chunks.map(transactionOf));
  return chunks.filter((_, at) => {
    const { ok = false, rev = 0 } = outcomes[at] ?? {};
    if (ok) result.rev = Math.max(result.rev, rev);
    return !ok;
  });
}

/** As many in one as a transaction takes; conditions count as operations in some stores. */
function chunksOf<T>(items: readonly BatchItem<T>[], maxOperations: number): BatchItem<T>[][] {
  const chunks: BatchItem<T>[][] = [];
  for (const round of roundsOf(items)) {
    let chunk: BatchItem<T>[] = [];
    let keys = new Set<string>();
    for (const item of round) {
      let added = 1;
      for (const { key } of item.conditions) if (!keys.has(key)) added++;
      if (chunk.length > 0 && chunk.length + keys.size + added > maxOperations) {
        chunks.push(chunk);
        chunk = [];
        keys = new Set();
      }
      chunk.push(item);
      for (const { key } of item.conditions) keys.add(key);
    }
    if (chunk.length > 0) chunks.push(chunk);
  }
  return chunks;
}

/** The n-th instance that is made in a service is in the n-th round. */
function roundsOf<T>(items: readonly BatchItem<T>[]): BatchItem<T>[][] {
  const rounds: BatchItem<T>[][] = [];
  const made = new Map<string, number>();
  for (const item of items) {
    const n = item.creates === undefined ? 0 : (made.get(item.creates) ?? 0);
    if (item.creates !== undefined) made.set(item.creates, n + 1);
    const round = rounds[n];
    if (round) round.push(item);
    else rounds[n] = [item];
  }
  return rounds;
}

async function send<T>(store: Store, chunk: readonly BatchItem<T>[], result: BatchResult<T>): Promise<boolean> {
  const { ok, rev } = await store.txn(transactionOf(chunk));
  if (ok) result.rev = Math.max(result.rev, rev);
  return ok;
}

function transactionOf<T>(chunk: readonly BatchItem<T>[]): Transaction {
  const then = chunk.map(({ operation }) => operation);
  if (chunk.length === 1) return { if: chunk[0]?.conditions ?? [], then };
  const conditions = new Map<string, Condition>();
  for (const { conditions: own } of chunk) for (const condition of own) conditions.set(condition.key, condition);
  return { if: [...conditions.values()], then };
}
