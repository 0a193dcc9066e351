import type { Condition, Operation, Store } from "../../store/store.ts";

/** One key's conditional write, to be sent with others. */
export interface BatchItem<T> {
  item: T;
  conditions: Condition[];
  operation: Operation;
}

/**
 * Sends many conditional writes in few transactions: together first, and one by one where a condition of the lot failed.
 * @returns the items whose own condition did not hold.
 * @throws {StoreError} what was not sent by then is not written.
 */
export async function writeInBatches<T>(store: Store, items: readonly BatchItem<T>[]): Promise<T[]> {
  const refused: T[] = [];
  // Conditions count as operations in some stores.
  const size = Math.max(1, Math.min(64, Math.floor(store.capabilities.maxOperations / 3)));
  for (let start = 0; start < items.length; start += size) {
    const chunk = items.slice(start, start + size);
    if ((await send(store, chunk)) || chunk.length === 0) continue;
    if (chunk.length === 1) {
      refused.push(...chunk.map(({ item }) => item));
      continue;
    }
    for (const one of chunk) if (!(await send(store, [one]))) refused.push(one.item);
  }
  return refused;
}

async function send<T>(store: Store, chunk: readonly BatchItem<T>[]): Promise<boolean> {
  const conditions = new Map<string, Condition>();
  for (const { conditions: own } of chunk) for (const condition of own) conditions.set(condition.key, condition);
  const result = await store.txn({ if: [...conditions.values()], then: chunk.map(({ operation }) => operation) });
  return result.ok;
}
