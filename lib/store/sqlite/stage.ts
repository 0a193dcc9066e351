import type { Condition, Entry, Lease, LeaseId, Operation, Revision, Transaction, TxnResult } from "../store.ts";
import { StoreError } from "../storeError.ts";
import type { Change } from "../watchBuffer.ts";
import type { Tables } from "./tables.ts";

/**
 * The state inside one SQLite transaction that holds a group of requests: each sees what those before it did. A
 * request throws StoreError before it has written anything, so that a refused one leaves no trace in the group.
 */
export class Stage {
  readonly #tables: Tables;
  readonly #alive = new Set<LeaseId>();
  /** What was read or written in here: nobody else writes meanwhile, and a condition is mostly on the key of the put that follows. */
  readonly #seen = new Map<string, Entry | undefined>();
  /** What watchers get once it is committed, in order. */
  readonly changes: Change[] = [];
  rev: Revision;
  deletions = 0;

  constructor(tables: Tables, rev: Revision) {
    this.#tables = tables;
    this.rev = rev;
  }

  /** @throws {StoreError} lease_expired */
  txn(txn: Transaction): TxnResult {
    const ok = (txn.if ?? []).every((condition) => this.#holds(condition));
    const branch: readonly Operation[] = ok ? txn.then : (txn.else ?? []);
    for (const operation of branch) {
      if (operation.op === "put" && operation.lease !== undefined && !this.#hasLease(operation.lease)) {
        throw new StoreError("lease_expired", `there is no lease ${operation.lease}: it ran out or was revoked`);
      }
    }
    const entries: (Entry | undefined)[] = [];
    const rev = this.rev + 1;
    const before = this.changes.length;
    for (const operation of branch) {
      if (operation.op === "get") entries.push(this.#get(operation.key));
      else if (operation.op === "put") this.#put(operation, rev);
      else if (operation.op === "delete") this.#delete(operation.key, rev);
      else for (const key of this.#tables.keysUnder(operation.prefix)) this.#delete(key, rev);
    }
    const wrote = this.changes.length > before;
    if (wrote) this.rev = rev;
    return { ok, rev: this.rev, wrote, entries };
  }

  grantLease(lease: Lease): Lease {
    this.#tables.addLease(lease);
    return lease;
  }

  /** Deletes the leases and their keys, all as one revision. */
  endLeases(ids: readonly LeaseId[]): void {
    const rev = this.rev + 1;
    for (const id of ids) {
      this.#alive.delete(id);
      for (const key of this.#tables.keysOf(id)) {
        this.#delete(key, rev);
        this.rev = rev;
      }
      this.#tables.removeLease(id);
    }
  }

  /** Asked once for each lease: a group has thousands of puts under the same one. */
  #hasLease(id: LeaseId): boolean {
    if (this.#alive.has(id)) return true;
    if (!this.#tables.hasLease(id)) return false;
    this.#alive.add(id);
    return true;
  }

  #get(key: string): Entry | undefined {
    if (this.#seen.has(key)) return this.#seen.get(key);
    const entry = this.#tables.get(key);
    this.#seen.set(key, entry);
    return entry;
  }

  #holds(condition: Condition): boolean {
    const entry = this.#get(condition.key);
    if ("exists" in condition) return (entry !== undefined) === condition.exists;
    if ("modRev" in condition) return (entry?.modRev ?? 0) === condition.modRev;
    return (entry?.createRev ?? 0) === condition.createRev;
  }

  #put(operation: Extract<Operation, { op: "put" }>, rev: Revision): void {
    const { key, lease } = operation;
    // A copy: the caller may use its buffer again while watchers still hold this.
    const entry: Entry = { key, value: operation.value.slice(), createRev: rev, modRev: rev };
    if (lease !== undefined) entry.lease = lease;
    // Most are new, and to write a row is less work than to read one.
    if (this.#seen.has(key) || !this.#tables.add(entry)) {
      entry.createRev = this.#get(key)?.createRev ?? rev;
      this.#tables.put(entry);
    }
    this.#seen.set(key, entry);
    this.changes.push({ type: "put", entry });
  }

  #delete(key: string, rev: Revision): void {
    this.#seen.set(key, undefined);
    if (!this.#tables.delete(key, rev)) return;
    this.changes.push({ type: "delete", key, rev });
    this.deletions++;
  }
}
