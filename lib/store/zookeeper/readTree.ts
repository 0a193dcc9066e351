import type { ZooKeeper } from "../../zookeeper/index.ts";
import type { Entry } from "../store.ts";
import { entryOf } from "./envelope.ts";
import { inParallel } from "./inParallel.ts";
import { directoryOf, leafOf, type Paths } from "./paths.ts";

/** Requests under way at once for one list. */
const atOnce = 256;

/** Every key under a prefix, without order. */
export async function keysUnder(client: ZooKeeper, paths: Paths, prefix: string): Promise<string[]> {
  const names = prefix.split("/");
  const part = names.pop() ?? "";
  const keys: string[] = [];
  await inParallel([{ names, part }], atOnce, async (directory, add) => {
    const { children = [] } = await client.getChildren(paths.directory(directory.names));
    const above = directory.names.map((name) => `${name}/`).join("");
    for (const child of children) {
      const leaf = leafOf(child);
      if (leaf !== undefined) {
        if (leaf.startsWith(directory.part)) keys.push(above + leaf);
        continue;
      }
      const name = directoryOf(child);
      if (name?.startsWith(directory.part)) add({ names: [...directory.names, name], part: "" });
    }
  });
  return keys;
}

/** Every entry under a prefix, sorted by the key's bytes. Not one moment's: each entry is as it was when it was read. */
export async function entriesUnder(client: ZooKeeper, paths: Paths, prefix: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  await inParallel(await keysUnder(client, paths, prefix), atOnce, async (key) => {
    const { node } = await client.getData(paths.of(key));
    const entry = node && entryOf(key, node);
    if (entry) entries.push(entry);
  });
  return sortByKey(entries);
}

/** By the bytes of UTF-8: JavaScript's own order is another only where surrogates meet what is above them. */
export function sortByKey(entries: Entry[]): Entry[] {
  const plain = entries.every(({ key }) => !/[\ud800-\uffff]/.test(key));
  if (plain) return entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
}
