import { MultiError, type MultiRequest, type ZooKeeper } from "../../zookeeper/index.ts";
import type { Entry, LeaseId, Transaction, TxnResult } from "../store.ts";
import { StoreError } from "../storeError.ts";
import { entryOf } from "./envelope.ts";
import { KeyLocks } from "./keyLocks.ts";
import type { Layout } from "./layout.ts";
import type { Paths } from "./paths.ts";
import { type Known, planTransaction } from "./planTransaction.ts";
import { keysUnder } from "./readTree.ts";
import { hasCode } from "./storeErrorOf.ts";

/** A server takes requests below 1 MiB (jute.maxbuffer). */
const maxRequestBytes = 1_000_000;
const maxTries = 50;

/** Runs transactions: read, plan, one multi; and again when something changed in between. */
export class Transactions {
  readonly #client: ZooKeeper;
  readonly #paths: Paths;
  readonly #layout: Layout;
  readonly #locks = new KeyLocks();

  constructor(client: ZooKeeper, paths: Paths, layout: Layout) {
    this.#client = client;
    this.#paths = paths;
    this.#layout = layout;
  }

  /**
   * @param clientOf the connection whose session is a lease
   * @throws {StoreError} @throws {ZooKeeperError}
   */
  async run(txn: Transaction, clientOf: (lease: LeaseId) => ZooKeeper): Promise<TxnResult> {
    const leases = new Set(
      txn.then.flatMap((operation) =>
        operation.op === "put" && operation.lease !== undefined ? [operation.lease] : [],
      ),
    );
    if (leases.size > 1) {
      throw new StoreError(
        "invalid",
        "a txn in ZooKeeper puts keys on one lease at most: a lease is a session of its own",
      );
    }
    const [lease] = leases;
    const writer = lease === undefined ? this.#client : writerOf(lease, clientOf);
    const keys = new Set([...(txn.if ?? []).map(({ key }) => key), ...keysOf(txn.then), ...keysOf(txn.else ?? [])]);
    return await this.#locks.run(keys, () => this.#try(txn, [...keys], writer));
  }

  /** `writer`: whose session makes ephemeral znodes; an error where that session is not ours, so that none can be made. */
  async #try(txn: Transaction, keys: readonly string[], writer: ZooKeeper | StoreError): Promise<TxnResult> {
    for (let tries = 0; tries < maxTries; tries++) {
      if (tries > 2) await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(100, 2 ** tries)));
      // A registration is a key that must not be there: it is tried without a look.
      const assumed = tries === 0 && onlyMakes(txn) && !(writer instanceof StoreError);
      const known = assumed ? new Map<string, Known>() : await this.#read(keys);
      const deleted = await this.#deleted(txn);
      const plan = planTransaction(txn, known, deleted, this.#paths);
      const rev = this.#client.lastZxid;
      if (plan.kind === "failed") return { ok: false, rev, wrote: false, entries: gets(txn.else ?? [], known) };
      if (plan.kind === "read" && plan.checks.length === 0)
        return { ok: true, rev, wrote: false, entries: gets(txn.then, known) };
      const operations = plan.kind === "read" ? plan.checks : plan.operations;
      // What is on another process' lease already may be written over; only that process puts anything new on it.
      if (writer instanceof StoreError && operations.some(isEphemeral)) throw writer;
      const bytes = operations.reduce((sum, operation) => sum + sizeOf(operation), 0);
      if (bytes > maxRequestBytes) {
        if (txn.then.every(({ op }) => op === "deletePrefix") && !txn.if?.length)
          return await this.#deleteMany(deleted);
        throw new StoreError("too_large", `a txn of ${bytes} bytes; ZooKeeper takes ${maxRequestBytes}`);
      }
      try {
        const done = await (plan.kind === "read" || writer instanceof StoreError ? this.#client : writer).multi(
          operations,
        );
        const stat = done.results.map((result) => ("stat" in result ? (result.stat?.mzxid ?? 0) : 0));
        return {
          ok: true,
          rev: Math.max(...stat) || done.zxid,
          wrote: plan.kind === "write",
          entries: gets(txn.then, known),
        };
      } catch (error) {
        await this.#prepareAnother(error, operations);
      }
    }
    throw new StoreError("unavailable", `a txn lost against others ${maxTries} times; nothing was written`);
  }

  /** What other clients did is read anew; what is missing is made. @throws whatever else it was */
  async #prepareAnother(error: unknown, operations: readonly MultiRequest[]): Promise<void> {
    if (hasCode(error, "SESSIONMOVED") && error.outcome === "not done") return;
    if (!(error instanceof MultiError)) throw error;
    const failed = operations[error.failed];
    if (error.code === "NONODE" && failed?.path.startsWith(`${this.#paths.guards}/`)) await this.#layout.make();
    else if (error.code === "NONODE" && failed?.op === "create") {
      const parents = operations.flatMap(({ op, path }) =>
        op === "create" ? [path.slice(0, path.lastIndexOf("/"))] : [],
      );
      await this.#layout.makeDirectories(new Set(parents));
    } else if (!["NONODE", "NODEEXISTS", "BADVERSION"].includes(error.code)) throw error;
  }

  /** Everything as it is now: behind a sync, each key after its guard, in one go. */
  async #read(keys: readonly string[]): Promise<Map<string, Known>> {
    const synced = this.#client.sync(this.#paths.root);
    const known = new Map<string, Known>();
    const reads = keys.map(async (key) => {
      const [guard, { node }] = await Promise.all([
        this.#client.exists(this.#paths.guard(key)),
        this.#client.getData(this.#paths.of(key)),
      ]);
      const entry = node && entryOf(key, node);
      // Without a guard nothing was ever made: a plan that asks for its version fails, and then it is made.
      known.set(key, {
        guard: guard.stat?.version ?? 0,
        ...(node ? { stat: node.stat } : {}),
        ...(entry ? { entry } : {}),
      });
    });
    await Promise.all([synced, ...reads]);
    return known;
  }

  async #deleted(txn: Transaction): Promise<string[]> {
    const prefixes = txn.then.flatMap((operation) => (operation.op === "deletePrefix" ? [operation.prefix] : []));
    if (prefixes.length === 0) return [];
    const [, ...found] = await Promise.all([
      this.#client.sync(this.#paths.root),
      ...prefixes.map((prefix) => keysUnder(this.#client, this.#paths, prefix)),
    ]);
    return found.flat();
  }

  /** More than one request holds: in parts. */
  async #deleteMany(keys: readonly string[]): Promise<TxnResult> {
    let rev = 0;
    for (let at = 0; at < keys.length; at += 500) {
      const part = keys.slice(at, at + 500).map((key): MultiRequest => ({ op: "delete", path: this.#paths.of(key) }));
      const present = await Promise.all(part.map(({ path }) => this.#client.exists(path)));
      const operations = part.filter((_, i) => present[i]?.stat !== undefined);
      const revision: MultiRequest = { op: "set", path: this.#paths.revision, data: new Uint8Array(0) };
      const last = (await this.#client.multi([...operations, revision])).results.at(-1);
      if (last?.op === "set") rev = last.stat.mzxid;
    }
    return { ok: true, rev, wrote: keys.length > 0, entries: [] };
  }
}

const keysOf = (operations: Transaction["then"]): string[] =>
  operations.flatMap((operation) => (operation.op === "deletePrefix" ? [] : [operation.key]));

const gets = (operations: Transaction["then"], known: ReadonlyMap<string, Known>): (Entry | undefined)[] =>
  operations.flatMap((operation) => (operation.op === "get" ? [known.get(operation.key)?.entry] : []));

/** Every key is put, and must be absent; nothing else is asked or done. */
function onlyMakes(txn: Transaction): boolean {
  const absent = new Set<string>();
  for (const condition of txn.if ?? []) {
    const wanted =
      "exists" in condition
        ? !condition.exists
        : ("modRev" in condition ? condition.modRev : condition.createRev) === 0;
    if (!wanted) return false;
    absent.add(condition.key);
  }
  return (
    absent.size === txn.then.length &&
    txn.then.every((operation) => operation.op === "put" && absent.has(operation.key))
  );
}

/** At least what an operation takes in a request. */
const sizeOf = (operation: MultiRequest): number =>
  operation.path.length + 64 + ("data" in operation ? (operation.data?.length ?? 0) : 0);

/** Every `create` under a lease is an ephemeral znode of its session. */
function isEphemeral(operation: MultiRequest): boolean {
  return operation.op === "create" && operation.mode === "ephemeral";
}

function writerOf(lease: LeaseId, clientOf: (lease: LeaseId) => ZooKeeper): ZooKeeper | StoreError {
  try {
    return clientOf(lease);
  } catch (error) {
    if (error instanceof StoreError && error.code === "lease_expired") return error;
    throw error;
  }
}
