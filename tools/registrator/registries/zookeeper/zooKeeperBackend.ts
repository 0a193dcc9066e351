import { type MultiRequest, type ZooKeeper, ZooKeeperError } from "../../../../lib/zookeeper/index.ts";
import { type KeyBackend, KeyConflict, type Pair, type Put } from "../stamped/keyBackend.ts";
import type { SessionWatch } from "./sessionWatch.ts";

export interface ZooKeeperBackendOptions {
  zk: ZooKeeper;
  watch: SessionWatch;
  /** Where the stamps and the entries are: ROOT/NAME/KEY. "" is the top. */
  roots: readonly string[];
}

/** Requests under way at a time while everything is read. */
const parallel = 64;
/** Somebody may take away the empty parent while we create in it. */
const tries = 3;

/** Ephemeral znodes, two levels below their root. What another session made of ours is stale: it would go with that session. */
export function zooKeeperBackend({ zk, watch, roots }: ZooKeeperBackendOptions): KeyBackend {
  const utf8 = new TextDecoder();

  async function read(path: string): Promise<Pair | undefined> {
    const { node } = await zk.getData(path);
    if (!node) return undefined;
    const { data, stat } = node;
    const stale = stat.ephemeralOwner === watch.sessionId ? {} : { stale: true };
    return { value: utf8.decode(data), version: stat.mzxid, ...stale };
  }

  async function childrenOf(path: string): Promise<string[]> {
    const { children = [] } = await zk.getChildren(path || "/");
    return children.map((child) => `${path}/${child}`);
  }

  /** Persistent and empty, as the original made them; level by level. */
  async function ensureParents(path: string): Promise<void> {
    const parts = path.split("/").slice(1, -1);
    for (let i = 1; i <= parts.length; i++) {
      await ignoring(["NODEEXISTS"], zk.create(`/${parts.slice(0, i).join("/")}`));
    }
  }

  async function put(puts: readonly Put[]): Promise<number> {
    const bytes = new TextEncoder();
    const operations = puts.flatMap(({ key, value, version }): MultiRequest[] => [
      ...(version === 0 ? [] : [{ op: "delete", path: key } as const]),
      { op: "create", path: key, data: bytes.encode(value), mode: "ephemeral" },
    ]);
    return (await zk.multi(operations)).zxid;
  }

  return {
    async ping() {
      await zk.exists("/");
    },

    async list() {
      const pairs = new Map<string, Pair>();
      for (const root of roots) {
        const names = (await childrenOf(root)).filter((path) => path !== "/zookeeper" && path !== "/_registrator");
        const keys = (await inParallel(names, childrenOf)).flat();
        await inParallel(keys, async (key) => {
          const pair = await read(key);
          if (pair) pairs.set(key, pair);
        });
      }
      return pairs;
    },

    async write(puts) {
      for (let attempt = 1; ; attempt++) {
        try {
          const version = await put(puts);
          return puts.map(({ value }) => ({ value, version }));
        } catch (error) {
          if (isCode(error, "NODEEXISTS")) throw new KeyConflict(puts.at(-1)?.key ?? "");
          if (!isCode(error, "NONODE")) throw error;
          // No parent; or what should be replaced is gone.
          const gone = await Promise.all(
            puts.map(async ({ key, version }) => version > 0 && !(await zk.exists(key)).stat),
          );
          if (gone.includes(true) || attempt >= tries) throw new KeyConflict(puts.at(-1)?.key ?? "");
          for (const { key } of puts) await ensureParents(key);
        }
      }
    },

    async remove(keys) {
      for (const { key } of keys) await ignoring(["NONODE"], zk.delete(key));
      for (const { key } of keys) await ignoring(["NONODE", "NOTEMPTY"], zk.delete(key.slice(0, key.lastIndexOf("/"))));
    },

    async *changes(signal) {
      for await (const news of watch.news(signal)) {
        if (news === "connected") {
          // A server before 3.6 has no such watch: then the next full look sees it.
          for (const root of roots) await ignoring(["UNIMPLEMENTED"], zk.addWatch(root || "/"));
          yield undefined;
          continue;
        }
        const { path } = news;
        if (!roots.some((root) => path.startsWith(`${root}/`) && path.slice(root.length).split("/").length === 3))
          continue;
        const pair = await read(path);
        // Its deletion's own version is not told; it is newer than whatever was there.
        yield pair ? { key: path, version: pair.version, pair } : { key: path, version: Number.MAX_SAFE_INTEGER };
      }
    },
  };
}

async function ignoring(codes: readonly string[], call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isCode(error, ...codes)) throw error;
  }
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof ZooKeeperError && codes.includes(error.code);
}

async function inParallel<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (let at = 0; at < items.length; at += parallel) {
    results.push(...(await Promise.all(items.slice(at, at + parallel).map(work))));
  }
  return results;
}
