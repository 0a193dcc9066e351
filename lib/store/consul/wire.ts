import type { Entry } from "../store.ts";
import { StoreError } from "../storeError.ts";

// Consul's KV in JSON: values in base64, null when empty; indexes are plain numbers.

/** One entry as GET /v1/kv and PUT /v1/txn answer it. */
export interface WireEntry {
  Key: string;
  Value?: string | null;
  Flags: number;
  CreateIndex: number;
  ModifyIndex: number;
  Session?: string;
}

/** One operation of PUT /v1/txn. */
export interface WireOperation {
  Verb:
    | "get"
    | "get-or-empty"
    | "get-tree"
    | "set"
    | "lock"
    | "unlock"
    | "delete"
    | "delete-tree"
    | "check-index"
    | "check-not-exists"
    | "check-session";
  Key: string;
  Value?: string;
  Flags?: number;
  Index?: number;
  Session?: string;
}

/** The entries of a list; what is no entry is passed over. @throws {StoreError} unavailable, when it is not Consul that answers */
export function parseEntries(text: string): WireEntry[] {
  const answer = parseJson(text);
  if (!Array.isArray(answer)) throw notConsul(text);
  return answer.filter(isEntry);
}

/** What a transaction answers: entries, or why it was refused. @throws {StoreError} unavailable, when it is not Consul that answers */
export function parseTxn(text: string): { results: WireEntry[]; errors: { index: number; what: string }[] } {
  const answer = parseJson(text);
  if (typeof answer !== "object" || answer === null) throw notConsul(text);
  const { Results: results, Errors: errors } = answer as { Results?: unknown; Errors?: unknown };
  if (results === undefined && errors === undefined) throw notConsul(text);
  return {
    results: (Array.isArray(results) ? results : []).map((result) => result?.KV).filter(isEntry),
    errors: (Array.isArray(errors) ? errors : []).map((error) => ({
      index: Number(error?.OpIndex ?? 0),
      what: String(error?.What ?? "refused"),
    })),
  };
}

/** @throws {StoreError} unavailable */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notConsul(text);
  }
}

const notConsul = (text: string) =>
  new StoreError("unavailable", `this is not an answer of Consul: ${text.slice(0, 100)}`);

function isEntry(value: unknown): value is WireEntry {
  const entry = value as Partial<WireEntry> | null | undefined;
  return (
    typeof entry?.Key === "string" && typeof entry.CreateIndex === "number" && typeof entry.ModifyIndex === "number"
  );
}

/** Keys of the store as keys in Consul, and back, below one prefix. */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  full(key: string): string {
    return this.#prefix + key;
  }

  key(full: string): string {
    return full.slice(this.#prefix.length);
  }

  entry(wire: WireEntry): Entry {
    const entry: Entry = {
      key: this.key(wire.Key),
      value: new Uint8Array(Buffer.from(wire.Value ?? "", "base64")), // its own memory, not a part of Buffer's pool
      createRev: wire.CreateIndex,
      modRev: wire.ModifyIndex,
    };
    if (wire.Session) entry.lease = wire.Session;
    return entry;
  }
}

/**
 * The longest part of a prefix that a path of Consul's can hold: it cleans the path like a file name's ("a//b", "a/./b",
 * "a/../b" become others) and refuses some letters. What is left of the prefix has to be filtered after the answer.
 */
export function pathPrefix(full: string): string {
  const plain = /^[\w.~:-]+(?:\/[\w.~:-]+)*\/?/.exec(full)?.[0] ?? "";
  const dots = /(?:^|\/)\.{1,2}(?:\/|$)/.exec(plain);
  if (!dots) return plain;
  return plain.slice(0, dots.index + (plain[dots.index] === "/" ? 1 : 0));
}
