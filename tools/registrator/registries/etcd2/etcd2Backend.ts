import { type KeyBackend, type KeyChange, KeyConflict, type Pair } from "../stamped/keyBackend.ts";
import { merged } from "../stamped/merged.ts";
import { type Etcd2Client, Etcd2Error, type Etcd2Node } from "./etcd2Client.ts";

export interface Etcd2Options {
  client: Etcd2Client;
  /** Directories that are listed and watched: of the entries, and of the stamps. "" is all. */
  directories: readonly string[];
  /** Seconds; 0: no expiry. */
  ttl: number;
  ttlRefresh: number;
}

/** How long one wait for a change may last, in ms. */
const waitMs = 60_000;

/** Keys of etcd v2, written as the original did; each under the condition that it is as we know it. */
export function etcd2Backend({ client, directories, ttl, ttlRefresh }: Etcd2Options): KeyBackend {
  const pairOf = (node: Etcd2Node): Pair => ({
    value: node.value ?? "",
    version: node.modifiedIndex ?? 0,
    ...((node.expiration !== undefined) === ttl > 0 ? {} : { stale: true }),
  });

  return {
    heartbeatMs: ttl > 0 ? ttlRefresh * 1000 : undefined,

    async ping(signal) {
      // That a directory is not there is an answer too.
      await indexOf(client, directories[0] ?? "", signal);
    },

    async list(signal) {
      const pairs = new Map<string, Pair>();
      const take = (node: Etcd2Node | undefined) => {
        if (node?.dir) for (const child of node.nodes ?? []) take(child);
        else if (node?.key !== undefined) pairs.set(node.key, pairOf(node));
      };
      for (const directory of directories) {
        try {
          take((await client.get(directory, { recursive: "true" }, signal)).node);
        } catch (error) {
          if (!isCode(error, 100)) throw error;
        }
      }
      return pairs;
    },

    async write(puts, signal) {
      const pairs: Pair[] = [];
      for (const { key, value, version } of puts) {
        const { node } = await client.put(key, value, { ttl, index: version }, signal).catch((error) => {
          throw isCode(error, 100, 101, 105) ? new KeyConflict(key) : error;
        });
        pairs.push({ value, version: node?.modifiedIndex ?? 0 });
      }
      return pairs;
    },

    async remove(keys, signal) {
      for (const { key, version } of keys) {
        await client.delete(key, version, signal).catch((error) => {
          if (isCode(error, 101)) throw new KeyConflict(key);
          if (!isCode(error, 100)) throw error;
        });
      }
    },

    changes: (signal) =>
      merged(
        directories.map((directory) => (inner: AbortSignal) => watch(client, directory, pairOf, inner)),
        signal,
      ),
  };
}

/** The long poll of the v2 API: one change a request, from an index on; the server remembers the last thousand. */
async function* watch(
  client: Etcd2Client,
  directory: string,
  pairOf: (node: Etcd2Node) => Pair,
  signal: AbortSignal,
): AsyncGenerator<KeyChange | undefined> {
  let next = 1 + (await indexOf(client, directory, signal));
  yield undefined;
  while (!signal.aborted) {
    let change: KeyChange | undefined;
    const silence = AbortSignal.timeout(waitMs);
    try {
      const query = { wait: "true", recursive: "true", waitIndex: String(next) };
      const { action, node } = await client.get(directory, query, AbortSignal.any([signal, silence]));
      const { key, modifiedIndex: version } = node ?? {};
      // The connection's end, after a while without news.
      if (!node || key === undefined || version === undefined) continue;
      next = version + 1;
      if (node.dir) yield undefined;
      else {
        const isGone = action === "delete" || action === "expire" || action === "compareAndDelete";
        change = { key, version, ...(isGone ? {} : { pair: pairOf(node) }) };
      }
    } catch (error) {
      if (signal.aborted) return;
      // Asked again from the same index, on another connection: this one may be dead.
      if (silence.aborted) continue;
      if (!isCode(error, 401)) throw error;
      next = 1 + (await indexOf(client, directory, signal));
      yield undefined;
      continue;
    }
    if (change) yield change;
  }
}

/** The store's index now, whether or not the directory is there. */
async function indexOf(client: Etcd2Client, directory: string, signal: AbortSignal): Promise<number> {
  try {
    return (await client.get(directory, {}, signal)).index;
  } catch (error) {
    if (isCode(error, 100)) return (error as Etcd2Error).index;
    throw error;
  }
}

function isCode(error: unknown, ...codes: number[]): boolean {
  return error instanceof Etcd2Error && codes.includes(error.errorCode);
}
