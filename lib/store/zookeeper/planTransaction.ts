import type { MultiRequest, Stat } from "../../zookeeper/index.ts";
import type { Condition, Entry, LeaseId, Transaction } from "../store.ts";
import { wrapValue } from "./envelope.ts";
import type { Paths } from "./paths.ts";

/** What was read of a key: its guard's version first, then the key, so that the key is no older than the guard says. */
export interface Known {
  /** Undefined when it was not read: the key is only assumed to be absent, and made. */
  guard?: number;
  stat?: Stat;
  /** Undefined without a stat, or when the data is another program's. */
  entry?: Entry;
}

/** What a transaction becomes. */
export type Plan =
  /** A condition does not hold in what is known. */
  | { kind: "failed" }
  /** Nothing to write. `checks` make what was read one moment's, where that is not plain. */
  | { kind: "read"; checks: MultiRequest[] }
  | { kind: "write"; operations: MultiRequest[] };

/**
 * A transaction as one multi, that is done only when everything is as it is known: a key's version says that it did not change,
 * its guard's version that it was not made anew (or made) since it was read. Unconditional puts ask no version, so that many may
 * write one key.
 *
 * @param deleted keys that `deletePrefix` takes
 */
export function planTransaction(
  txn: Transaction,
  known: ReadonlyMap<string, Known>,
  deleted: readonly string[],
  paths: Paths,
): Plan {
  const conditions = txn.if ?? [];
  const of = (key: string) => known.get(key) ?? {};
  if (!conditions.every((condition) => holds(condition, of(condition.key)))) return { kind: "failed" };

  const conditioned = new Set(conditions.map(({ key }) => key));
  const written = new Set<string>();
  const writes: MultiRequest[] = [];
  const checks: MultiRequest[] = [];
  const guards = new Guards(paths);
  for (const operation of txn.then) {
    if (operation.op === "deletePrefix" || operation.op === "get") continue;
    const { key } = operation;
    const { guard, stat, entry } = of(key);
    const path = paths.of(key);
    const version = conditioned.has(key) && stat ? stat.version : -1;
    written.add(key);
    if (operation.op === "put") {
      if (stat && stat.ephemeralOwner === operation.lease) {
        guards.check(key, guard);
        writes.push({ op: "set", path, data: wrapValue(operation.value, keptAge(stat, entry)), version });
        continue;
      }
      if (stat) {
        guards.check(key, guard);
        writes.push({ op: "delete", path, version: stat.version });
      }
      guards.set(key);
      writes.push(made(path, wrapValue(operation.value, stat && (entry?.createRev ?? stat.czxid)), operation.lease));
    } else {
      guards.check(key, guard);
      if (stat) writes.push({ op: "delete", path, version });
    }
  }
  for (const key of deleted) writes.push({ op: "delete", path: paths.of(key) });

  const seen = new Set([
    ...conditioned,
    ...txn.then.flatMap((operation) => (operation.op === "get" ? [operation.key] : [])),
  ]);
  for (const key of seen) {
    if (written.has(key)) continue;
    const { guard, stat } = of(key);
    guards.check(key, guard);
    if (stat) checks.push({ op: "check", path: paths.of(key), version: stat.version });
  }
  if (writes.length === 0) return { kind: "read", checks: known.size > 1 ? [...guards.operations(), ...checks] : [] };
  if (!writes.some(({ op }) => op === "create" || op === "set"))
    writes.push({ op: "set", path: paths.revision, data: nothing });
  return { kind: "write", operations: [...guards.operations(), ...checks, ...writes] };
}

const nothing = new Uint8Array(0);

const made = (path: string, data: Uint8Array, lease: LeaseId | undefined): MultiRequest => ({
  ...{ op: "create", path, data },
  mode: lease === undefined ? "persistent" : "ephemeral",
});

/** What a new value must carry on: an age that is not the znode's own. */
const keptAge = (stat: Stat, entry: Entry | undefined) =>
  entry && entry.createRev !== stat.czxid ? entry.createRev : undefined;

function holds(condition: Condition, { entry }: Known): boolean {
  if ("exists" in condition) return condition.exists === (entry !== undefined);
  if ("modRev" in condition) return condition.modRev === (entry?.modRev ?? 0);
  return condition.createRev === (entry?.createRev ?? 0);
}

/** Which guards a transaction asks, and which it sets; each stands in it once. */
class Guards {
  readonly #paths: Paths;
  readonly #asked = new Map<string, number>();
  readonly #set = new Set<string>();

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  check(key: string, version: number | undefined): void {
    if (version === undefined) return;
    const path = this.#paths.guard(key);
    // Two keys of one guard were read at two moments: the older version is the one that must still hold.
    this.#asked.set(path, Math.min(version, this.#asked.get(path) ?? version));
  }

  set(key: string): void {
    this.#set.add(this.#paths.guard(key));
  }

  operations(): MultiRequest[] {
    const operations: MultiRequest[] = [];
    for (const path of this.#set)
      operations.push({ op: "set", path, data: nothing, version: this.#asked.get(path) ?? -1 });
    for (const [path, version] of this.#asked)
      if (!this.#set.has(path)) operations.push({ op: "check", path, version });
    return operations;
  }
}
