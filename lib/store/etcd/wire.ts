import { prefixEnd } from "../prefixEnd.ts";
import type { Condition, Entry, Operation, Revision } from "../store.ts";
import { StoreError } from "../storeError.ts";

// The JSON gateway: bytes in base64, 64-bit numbers as strings, and fields that are zero, false or empty left out.

export interface Header {
  cluster_id?: string;
  revision?: string;
}

export interface WireEntry {
  key?: string;
  value?: string;
  create_revision?: string;
  mod_revision?: string;
  lease?: string;
}

export interface RangeAnswer {
  header?: Header;
  kvs?: WireEntry[];
  more?: boolean;
}

export interface TxnAnswer {
  header?: Header;
  succeeded?: boolean;
  responses?: { response_range?: RangeAnswer; response_delete_range?: { deleted?: string } }[];
}

export interface LeaseAnswer {
  ID?: string;
  TTL?: string;
}

export interface WatchAnswer {
  header?: Header;
  created?: boolean;
  canceled?: boolean;
  compact_revision?: string;
  cancel_reason?: string;
  events?: { type?: "DELETE"; kv?: WireEntry }[];
}

/** One JSON object of an answer. @throws {StoreError} unavailable, when it is not etcd that answers */
export function parseAnswer<T extends object>(text: string): T {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined; // told below
  }
  if (typeof answer !== "object" || answer === null) {
    throw new StoreError("unavailable", `this is not an answer of etcd: ${text.slice(0, 100)}`);
  }
  return answer as T;
}

const strict = new TextDecoder("utf-8", { fatal: true });

export const base64 = (bytes: string | Uint8Array): string =>
  (typeof bytes === "string"
    ? Buffer.from(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  ).toString("base64");

export const revisionOf = (header: Header | undefined): Revision => Number(header?.revision ?? 0);

/** `key` and `range_end` of everything that begins with the prefix. */
export function rangeOf(prefix: string): { key: string; range_end: string } {
  if (prefix === "") return { key: base64("\0"), range_end: base64("\0") };
  return { key: base64(prefix), range_end: base64(prefixEnd(prefix)) };
}

/** Keys of the store as keys in etcd, and back, below one prefix. */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  full(key: string): string {
    return this.#prefix + key;
  }

  /** Undefined for what another program put there that is not UTF-8. */
  key(wire: WireEntry): string | undefined {
    try {
      return strict.decode(Buffer.from(wire.key ?? "", "base64")).slice(this.#prefix.length);
    } catch {
      return undefined;
    }
  }

  entry(wire: WireEntry): Entry | undefined {
    const key = this.key(wire);
    if (key === undefined) return undefined;
    const entry: Entry = {
      key,
      value: new Uint8Array(Buffer.from(wire.value ?? "", "base64")), // its own memory, not a part of Buffer's pool
      createRev: Number(wire.create_revision ?? 0),
      modRev: Number(wire.mod_revision ?? 0),
    };
    if (wire.lease !== undefined && wire.lease !== "0") entry.lease = wire.lease;
    return entry;
  }

  compare(condition: Condition): Record<string, string> {
    const key = base64(this.full(condition.key));
    if ("exists" in condition) {
      return { key, target: "CREATE", result: condition.exists ? "GREATER" : "EQUAL", create_revision: "0" };
    }
    if ("modRev" in condition) return { key, target: "MOD", result: "EQUAL", mod_revision: String(condition.modRev) };
    return { key, target: "CREATE", result: "EQUAL", create_revision: String(condition.createRev) };
  }

  operation(operation: Operation): Record<string, unknown> {
    if (operation.op === "deletePrefix") return { request_delete_range: rangeOf(this.full(operation.prefix)) };
    const key = base64(this.full(operation.key));
    if (operation.op === "get") return { request_range: { key } };
    if (operation.op === "delete") return { request_delete_range: { key } };
    const lease = operation.lease === undefined ? {} : { lease: operation.lease };
    return { request_put: { key, value: base64(operation.value), ...lease } };
  }
}
