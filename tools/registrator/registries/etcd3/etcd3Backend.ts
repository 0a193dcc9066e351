import type { Operation, Store, StoreEvent } from "../../../../lib/store/store.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";
import { type KeyBackend, type KeyChange, KeyConflict, type Pair } from "../stamped/keyBackend.ts";
import { merged } from "../stamped/merged.ts";
import type { SharedLease } from "./sharedLease.ts";

export interface Etcd3Options {
  /** Over etcd, without a prefix. */
  store: Store;
  /** What is listed and watched: of the entries, and of the stamps. */
  prefixes: readonly string[];
  /** Absent: keys stay until they are removed. */
  lease?: SharedLease | undefined;
}

/** Keys of etcd v3. With a TTL all hang on one lease, that is kept alive; when it ran out nonetheless, all are written again. */
export function etcd3Backend({ store, prefixes, lease }: Etcd3Options): KeyBackend {
  const text = new TextDecoder();
  const pairOf = (entry: { value: Uint8Array; modRev: number; lease?: string }): Pair => ({
    value: text.decode(entry.value),
    version: entry.modRev,
    ...(entry.lease === lease?.current ? {} : { stale: true }),
  });

  /** @throws {KeyConflict} one of the keys is not as it was thought */
  async function transact(keys: readonly { key: string; version: number }[], then: Operation[]): Promise<number> {
    const { ok, rev } = await store.txn({
      if: keys.map(({ key, version }) => (version === 0 ? { key, exists: false } : { key, modRev: version })),
      then,
    });
    if (!ok) throw new KeyConflict(keys.at(-1)?.key ?? "");
    return rev;
  }

  return {
    async ping() {
      await store.get("/");
    },

    async list() {
      const pairs = new Map<string, Pair>();
      for (const prefix of prefixes) {
        for (const entry of (await store.list(prefix)).entries) pairs.set(entry.key, pairOf(entry));
      }
      return pairs;
    },

    async write(puts) {
      const id = await lease?.granted();
      const bytes = new TextEncoder();
      try {
        const version = await transact(
          puts,
          puts.map(({ key, value }) => ({
            op: "put",
            key,
            value: bytes.encode(value),
            ...(id === undefined ? {} : { lease: id }),
          })),
        );
        return puts.map(({ value }) => ({ value, version }));
      } catch (error) {
        if (error instanceof StoreError && error.code === "lease_expired") lease?.lost();
        throw error;
      }
    },

    async remove(keys) {
      if (keys.length > 0) {
        await transact(
          keys,
          keys.map(({ key }) => ({ op: "delete", key })),
        );
      }
    },

    async *changes(signal) {
      const sources: ((signal: AbortSignal) => AsyncIterable<KeyChange | undefined>)[] = prefixes.map(
        (prefix) => (inner) => news(store.watch(prefix, undefined, inner), pairOf),
      );
      if (lease) sources.push((inner) => lease.losses(inner));
      yield* merged(sources, signal);
    },
  };
}

async function* news(
  events: AsyncIterable<StoreEvent>,
  pairOf: (entry: { value: Uint8Array; modRev: number; lease?: string }) => Pair,
): AsyncGenerator<KeyChange | undefined> {
  for await (const event of events) {
    if (event.type === "reset") yield undefined;
    else if (event.type === "delete") yield { key: event.key, version: event.rev };
    else if (event.type === "put") {
      yield { key: event.entry.key, version: event.entry.modRev, pair: pairOf(event.entry) };
    }
  }
}
