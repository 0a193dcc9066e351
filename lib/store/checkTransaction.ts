import type { StoreCapabilities, Transaction } from "./store.ts";
import { StoreError } from "./storeError.ts";

/** Bytes of UTF-8 in a key: Consul's limit, the smallest of the four. */
export const maxKeyBytes = 512;

/**
 * Refuses what one of the stores could not keep, so that all four refuse the same.
 * @throws {StoreError} invalid, too_large
 */
export function checkTransaction(txn: Transaction, limits: StoreCapabilities): void {
  for (const part of [txn.if ?? [], txn.then, txn.else ?? []]) {
    if (part.length > limits.maxOperations) {
      throw new StoreError("too_large", `${part.length} operations in one txn; at most ${limits.maxOperations}`);
    }
  }
  for (const condition of txn.if ?? []) checkKey(condition.key);
  checkBranch(txn.then, limits);
  checkBranch(txn.else ?? [], limits);
}

/** @throws {StoreError} invalid */
export function checkKey(key: string): void {
  if (key === "") throw new StoreError("invalid", "a key must not be empty");
  checkPrefix(key);
}

/** A prefix may be empty. @throws {StoreError} invalid */
export function checkPrefix(prefix: string): void {
  if (prefix.includes("\0")) throw new StoreError("invalid", `a key must not hold NUL: ${JSON.stringify(prefix)}`);
  if (!prefix.isWellFormed()) throw new StoreError("invalid", `a key must be Unicode: ${JSON.stringify(prefix)}`);
  if (prefix.length * 3 > maxKeyBytes && Buffer.byteLength(prefix) > maxKeyBytes) {
    throw new StoreError("invalid", `a key has at most ${maxKeyBytes} bytes: ${prefix.slice(0, 60)}...`);
  }
}

/** A lease in whole milliseconds that etcd can still count. @throws {StoreError} invalid */
export function checkTtl(ttlMs: number): void {
  if (!Number.isFinite(ttlMs) || ttlMs <= 0 || ttlMs > 1e12) {
    throw new StoreError("invalid", `a lease's TTL is between 1 and 1e12 ms, not ${ttlMs}`);
  }
}

function checkBranch(operations: Transaction["then"], limits: StoreCapabilities): void {
  const keys = new Set<string>();
  const prefixes: string[] = [];
  for (const operation of operations) {
    if (operation.op === "deletePrefix") {
      checkPrefix(operation.prefix);
      prefixes.push(operation.prefix);
      continue;
    }
    const { key } = operation;
    checkKey(key);
    if (keys.has(key)) throw new StoreError("invalid", `a txn must name a key once: ${JSON.stringify(key)}`);
    keys.add(key);
    if (operation.op === "put" && operation.value.byteLength > limits.maxValueBytes) {
      const size = `${operation.value.byteLength} bytes; at most ${limits.maxValueBytes}`;
      throw new StoreError("too_large", `the value of ${JSON.stringify(key)} has ${size}`);
    }
  }
  prefixes.forEach((prefix, i) => {
    const other = prefixes.some((p, j) => i !== j && p.startsWith(prefix));
    if (other || [...keys].some((key) => key.startsWith(prefix))) {
      throw new StoreError(
        "invalid",
        `a txn must name a key once: ${JSON.stringify(prefix)} is deleted as a prefix too`,
      );
    }
  });
}
