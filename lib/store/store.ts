/**
 * The Store contract: a small, watchable, leased key-value store that SQLite, etcd, Consul and ZooKeeper can all keep.
 *
 * Promised, by every store:
 * 1. **Latest state per key.** A watcher ends at the same state as a fresh `list`. Intermediate values may be merged
 *    (Consul and ZooKeeper merge; etcd and SQLite do not), so a consumer may never count events.
 * 2. **Per-key order.** Two changes of one key arrive in their order. Order across keys holds only where
 *    `capabilities.orderedAcrossKeys`.
 * 3. **`createRev` survives updates.** It changes only when the key is deleted and made again: the age of a key is
 *    the age of its registration (leader order rests on this).
 * 4. **One way to recover.** When replay is impossible (compaction, a Consul index that went back, a ZooKeeper
 *    reconnect, a restart) the watch yields `reset` with a full snapshot; the layer above diffs. A watch ends only
 *    by its signal or by `close()`; a lost server is retried inside, and shows in `status()`. A slow consumer gets
 *    merged changes or a `reset`, never an endless queue.
 * 5. **A lease that ran out takes its keys with it**, not before its TTL, and not later than TTL +
 *    `capabilities.leaseSlackMs`. A keepalive of a lost lease answers "expired", it does not throw.
 *
 * Keys are 1 to 512 bytes of UTF-8 without NUL (what Consul and ZooKeeper can hold); they are opaque, "/" has no meaning
 * to the store, and a prefix is any leading part of a key, "" being all.
 *
 * Not promised: intermediate values, a total order, the meaning of a revision's distance, atomic snapshots where
 * `capabilities.atomicList` is false.
 */
export interface Store {
  /** The URL that it was opened with, without credentials: for logs, `status` and errors. */
  readonly url: string;
  readonly capabilities: StoreCapabilities;

  /** One key, or undefined. @throws {StoreError} */
  get(key: string): Promise<Entry | undefined>;

  /** Every entry under a prefix, sorted by the key's bytes, and the revision to watch from. @throws {StoreError} */
  list(prefix: string): Promise<Snapshot>;

  /**
   * All of `then` when every condition holds, else all of `else`; at most `capabilities.maxOperations` each, no key
   * named twice in one branch (nor under a prefix deleted there). Every put or delete of the txn has the same `rev`;
   * a put without a lease takes the key off its former one. Resolves when the result is durable. @throws {StoreError}
   */
  txn(transaction: Transaction): Promise<TxnResult>;

  /**
   * As `txn` one after the other, each with a revision of its own, but for the price of one. Only where that is less than to send them
   * all at once. When it throws, some may be done and some not. @throws {StoreError}
   */
  txnEach?(transactions: readonly Transaction[]): Promise<TxnResult[]>;

  /**
   * Changes under a prefix after `from` (a `Snapshot.rev`), until `signal` aborts. Without `from`, or when it is too
   * old (or from another life of the store), the first event is `reset`. Starts when iterated. Never throws for a lost server.
   */
  watch(prefix: string, from: Revision | undefined, signal: AbortSignal): AsyncIterable<StoreEvent>;

  /** A lease that keys can hang on. The store may lengthen the TTL (`capabilities.minLeaseMs`). @throws {StoreError} */
  grantLease(ttlMs: number): Promise<Lease>;

  /** Renews several leases in one call. "expired" means: grant a new one and put the keys again. @throws {StoreError} */
  keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">>;

  /** Ends a lease and deletes its keys; an unknown lease is not an error. @throws {StoreError} */
  revokeLease(lease: LeaseId): Promise<void>;

  /** What is known of the connection right now; never waits for the server. */
  status(): StoreStatus;

  /** Ends watches and connections. Leases are left to run out (a restart may take them up again). */
  close(): Promise<void>;
}

/** Opaque: a safe integer to compare within one store only (etcd revision, Consul index, ZooKeeper zxid, SQLite rev). */
export type Revision = number;

export type LeaseId = string;

export interface Entry {
  key: string;
  value: Uint8Array;
  /** When the key was made; constant while it exists. */
  createRev: Revision;
  /** When its value last changed. */
  modRev: Revision;
  lease?: LeaseId;
}

export interface Snapshot {
  rev: Revision;
  entries: Entry[];
}

export type Condition =
  | { key: string; exists: boolean }
  /** Revision 0: the key is absent. */
  | { key: string; modRev: Revision }
  | { key: string; createRev: Revision };

export type Operation =
  | { op: "put"; key: string; value: Uint8Array; lease?: LeaseId }
  | { op: "delete"; key: string }
  | { op: "deletePrefix"; prefix: string }
  | { op: "get"; key: string };

export interface Transaction {
  if?: readonly Condition[];
  then: readonly Operation[];
  /** `get` only: what stores without an else-branch read after a failed attempt. */
  else?: readonly Extract<Operation, { op: "get" }>[];
}

export interface TxnResult {
  /** Whether the conditions held. */
  ok: boolean;
  /** The revision of the write (or of the read when nothing was written). */
  rev: Revision;
  /** Whether anything changed. When false (failed, only reads, deletes of what was not there) no watch event follows. */
  wrote: boolean;
  /** One per `get` of the branch that ran, in order. */
  entries: (Entry | undefined)[];
}

export type StoreEvent =
  | { type: "put"; entry: Entry }
  | { type: "delete"; key: string; rev: Revision }
  /** All changes up to `rev` have been yielded: comes after the last change of each step. */
  | { type: "progress"; rev: Revision }
  /** Forget what you knew of this prefix: this is all of it. */
  | { type: "reset"; snapshot: Snapshot };

export interface Lease {
  id: LeaseId;
  /** What the store granted, in milliseconds. */
  ttlMs: number;
}

export interface StoreCapabilities {
  /** A txn of several keys reaches watchers as one step, and order holds across keys. */
  orderedAcrossKeys: boolean;
  /** `list` is one consistent snapshot. */
  atomicList: boolean;
  /** Operations in one txn. */
  maxOperations: number;
  /** Bytes of one value. */
  maxValueBytes: number;
  /** Shortest lease, in milliseconds. */
  minLeaseMs: number;
  /** How long after its TTL a lost lease may live on, in milliseconds. */
  leaseSlackMs: number;
  /** The keys are gone when the last process that opened the store is (memory:). */
  volatile: boolean;
}

export interface StoreStatus {
  connected: boolean;
  /** When the state was last known to be current, in ms since the epoch. */
  currentAt: number;
  /** Why not connected, in words for a person. */
  reason?: string;
}
