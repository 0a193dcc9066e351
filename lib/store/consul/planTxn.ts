import type { Condition, Entry, Operation, Transaction } from "../store.ts";
import type { Keys, WireEntry, WireOperation } from "./wire.ts";

/** One verb of Consul's, and what its answer is for. */
interface Step {
  wire: WireOperation;
  /** `existed` looks whether a delete has something to delete; `mark` tells the revision of deletes, which answer nothing. */
  role: "condition" | "read" | "existed" | "mark" | "write" | "delete";
}

/** A transaction in Consul's verbs: one for each condition, in order, then those of the operations. */
export interface TxnPlan {
  steps: Step[];
  conditions: readonly Condition[];
  writes: boolean;
  nonce: number;
}

/** What has to be known of the store to plan. */
export interface TxnFacts {
  /** Which session holds a key that is put, where it was looked up. */
  holders: ReadonlyMap<string, string>;
  /** The entries of `createRev` conditions as they were just read. */
  seen: ReadonlyMap<string, Entry | undefined>;
  /**
   * Kept as the entries' Flags: Consul passes over a set that changes nothing, but a put has a revision of its own even
   * when the value is the same.
   */
  nonce: number;
}

/**
 * The most that one operation needs is two verbs, one condition is one, and there is one more for the revision of a
 * transaction that only deletes: 42 + 2 * 42 + 1 of Consul's 128.
 */
export const maxOperations = 42;

/** @see TxnPlan */
export function planTxn(keys: Keys, transaction: Transaction, facts: TxnFacts): TxnPlan {
  const { if: conditions = [], then } = transaction;
  const steps = conditions.map((condition): Step => ({ wire: check(keys, condition, facts), role: "condition" }));
  let marked = then.some(({ op }) => op === "put");
  for (const operation of then) {
    if (operation.op === "put") steps.push(...put(keys, operation, facts));
    else if (operation.op === "get") {
      steps.push({ wire: { Verb: "get-or-empty", Key: keys.full(operation.key) }, role: "read" });
    } else {
      const isTree = operation.op === "deletePrefix";
      const Key = keys.full(isTree ? operation.prefix : operation.key);
      steps.push({ wire: { Verb: isTree ? "get-tree" : "get-or-empty", Key }, role: "existed" });
      if (!marked) {
        steps.push({ wire: { Verb: "set", Key: isTree ? `${Key}~` : Key, Flags: facts.nonce }, role: "mark" });
        marked = true;
      }
      steps.push({ wire: { Verb: isTree ? "delete-tree" : "delete", Key }, role: "delete" });
    }
  }
  return { steps, conditions, writes: then.some(({ op }) => op !== "get"), nonce: facts.nonce };
}

function check(keys: Keys, condition: Condition, { seen }: TxnFacts): WireOperation {
  const Key = keys.full(condition.key);
  if ("exists" in condition) return { Verb: condition.exists ? "get" : "check-not-exists", Key };
  // No verb knows CreateIndex: what was read with the right one must not have changed since.
  const index = "modRev" in condition ? condition.modRev : (seen.get(condition.key)?.modRev ?? 0);
  return index === 0 ? { Verb: "check-not-exists", Key } : { Verb: "check-index", Key, Index: index };
}

function put(keys: Keys, operation: Extract<Operation, { op: "put" }>, { holders, nonce }: TxnFacts): Step[] {
  const Key = keys.full(operation.key);
  const { buffer, byteOffset, byteLength } = operation.value;
  const entry = { Key, Value: Buffer.from(buffer, byteOffset, byteLength).toString("base64"), Flags: nonce };
  const holder = holders.get(operation.key);
  const write = (wire: WireOperation): Step => ({ wire, role: "write" });
  if (operation.lease === undefined) {
    if (holder !== undefined) return [write({ Verb: "unlock", ...entry, Session: holder })];
    // A set would leave the key with the session that holds it: then the check fails, and the next plan unlocks.
    return [write({ Verb: "set", ...entry }), write({ Verb: "check-session", Key })];
  }
  const lock = write({ Verb: "lock", ...entry, Session: operation.lease });
  // Unlocked and locked in one transaction, the key changes hands and stays as old as it is.
  if (holder !== undefined && holder !== operation.lease) {
    return [write({ Verb: "unlock", Key, Session: holder }), lock];
  }
  return [lock];
}

/** What a plan that was carried out tells; `complete` is false when the token may not read all of it. */
export interface TxnOutcome {
  rev: number;
  wrote: boolean;
  entries: (Entry | undefined)[];
  complete: boolean;
}

/** Reads the results of a plan: in its order, none from deletes and check-not-exists, any number from get-tree, else one. */
export function readResults(keys: Keys, plan: TxnPlan, results: readonly WireEntry[]): TxnOutcome {
  const outcome: TxnOutcome = { rev: 0, wrote: false, entries: [], complete: true };
  let next = 0;
  for (const { wire, role } of plan.steps) {
    if (role === "delete" || wire.Verb === "check-not-exists") continue;
    if (wire.Verb === "get-tree") {
      // The mark that may follow is under the prefix too, and known by its flags.
      for (let each = results[next]; each?.Key.startsWith(wire.Key); each = results[++next]) {
        if (each.Flags === plan.nonce) break;
        outcome.wrote = true;
      }
      continue;
    }
    const result = results[next];
    if (result?.Key !== wire.Key) {
      outcome.complete = false;
      continue;
    }
    next++;
    if (role !== "condition" || !plan.writes) outcome.rev = Math.max(outcome.rev, result.ModifyIndex);
    const isThere = result.CreateIndex > 0; // get-or-empty answers an entry without indexes
    if (role === "write" || (role === "existed" && isThere)) outcome.wrote = true;
    if (role === "read") outcome.entries.push(isThere ? keys.entry(result) : undefined);
  }
  return outcome;
}

/** Why Consul refused a plan: a condition did not hold, or what the plan rests on has changed, so that another is needed. */
export function refusalOf(
  plan: TxnPlan,
  errors: readonly { index: number; what: string }[],
): "condition" | "changed" | "other" {
  if (errors.some(({ what }) => /permission denied|ACL not found/i.test(what))) return "other";
  const isCreateRev = (index: number) => {
    const condition = plan.conditions[index];
    return condition !== undefined && "createRev" in condition && condition.createRev !== 0;
  };
  const failed = errors.filter(({ index }) => index < plan.conditions.length);
  if (failed.some(({ index }) => !isCreateRev(index))) return "condition";
  if (failed.length > 0) return "changed";
  return errors.every(({ what }) => /lock is already held|lock isn't held|failed session check/.test(what))
    ? "changed"
    : "other";
}
