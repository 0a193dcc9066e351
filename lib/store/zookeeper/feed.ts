import type { SessionState, WatchEvent, ZooKeeper } from "../../zookeeper/index.ts";
import type { StoreLog } from "../openStore.ts";
import type { Entry, Revision, Snapshot } from "../store.ts";
import type { Change, WatchBuffer } from "../watchBuffer.ts";
import { entryOf } from "./envelope.ts";
import type { Paths } from "./paths.ts";
import { sortByKey } from "./readTree.ts";
import { keyOf, RecentChanges, revisionOf } from "./recentChanges.ts";
import { hasCode } from "./storeErrorOf.ts";

/** Keys read again at once. */
const batchSize = 512;
/** Changes kept while a long list is read; more, and it is read again. */
const maxPending = 100_000;

interface Watcher {
  prefix: string;
  buffer: WatchBuffer;
  /** "listing" collects in `pending`; "live" gets each batch; "stale" must list again. */
  mode: "stale" | "listing" | "live";
  pending: Map<string, Change>;
  /** A revision that its consumer has seen a change of, but was not told to have reached. */
  owed: Revision;
  wake: () => void;
}

interface FeedOptions {
  client: ZooKeeper;
  paths: Paths;
  log: StoreLog | undefined;
  list(prefix: string): Promise<Snapshot>;
  /** A watcher could not be served; it is tried again. */
  failed(error: unknown): void;
}

/**
 * All watchers of one store, over one watch of the whole tree: ZooKeeper tells which znode changed, each such key is read again, and
 * what was read goes to whom it concerns. Watches end with the connection, so each new one begins with a list for everybody.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #watchers = new Set<Watcher>();
  readonly #recent = new RecentChanges();
  readonly #dirty = new Set<string>();
  /** Counts the times that the watch was set. */
  #epoch = 0;
  #wanted = false;
  #ready = false;
  #reading = false;
  /** Everything up to here is in `#recent` and was told. */
  #told: Revision = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** From now on changes are seen; called before a list, so that a watch may go on from it. */
  begin(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    if (this.#options.client.state.state === "connected") void this.#start();
  }

  onState(state: SessionState): void {
    if (state.state === "connected") {
      if (this.#wanted) void this.#start();
    } else this.#stop();
  }

  onWatch(event: WatchEvent): void {
    if (!this.#wanted || event.type === "session") return;
    const key = this.#options.paths.key(event.path);
    if (key === undefined) return;
    this.#dirty.add(key);
    this.#schedule();
  }

  /** Fills a buffer until it ends: what came after `from` when that is known, else a list, then what happens. */
  async serve(prefix: string, from: Revision | undefined, buffer: WatchBuffer): Promise<void> {
    this.begin();
    const watcher: Watcher = { prefix, buffer, mode: "stale", pending: new Map(), owed: 0, wake: () => {} };
    this.#watchers.add(watcher);
    const forget = buffer.onEnd(() => watcher.wake());
    let cursor = from;
    let failures = 0;
    try {
      while (!buffer.ended) {
        if (!this.#ready) await sleep(watcher);
        else if (watcher.mode === "live") await sleep(watcher);
        else if (cursor !== undefined && cursor >= this.#recent.since && cursor <= this.#options.client.lastZxid) {
          watcher.mode = "live";
          this.#push(watcher, this.#recent.after(prefix, cursor));
          cursor = undefined;
        } else {
          cursor = undefined;
          await buffer.taken(); // a list for one who does not listen would be old at once
          try {
            if (!buffer.ended && this.#ready) await this.#list(watcher);
            failures = 0;
          } catch (error) {
            this.#options.failed(error);
            const ms = Math.min(5000, 100 * 2 ** Math.min(failures++, 6)) * (0.5 + Math.random() / 2);
            await sleep(watcher, ms);
          }
        }
      }
    } finally {
      forget();
      this.#watchers.delete(watcher);
    }
  }

  /** What is listed is older than what was seen meanwhile: that is laid over it. */
  async #list(watcher: Watcher): Promise<void> {
    const epoch = this.#epoch;
    watcher.mode = "listing";
    watcher.pending = new Map();
    const { rev, entries } = await this.#options.list(watcher.prefix);
    const { pending } = watcher;
    watcher.pending = new Map();
    if (epoch !== this.#epoch || !this.#ready || watcher.mode !== "listing") return;
    watcher.mode = "live";
    watcher.owed = entries.reduce((most, entry) => Math.max(most, entry.modRev), 0);
    watcher.buffer.reset({ rev: Math.max(rev, this.#told), entries: overlaid(entries, pending) });
  }

  async #start(): Promise<void> {
    this.#stop();
    const epoch = ++this.#epoch;
    const { client, paths, log, failed } = this.#options;
    try {
      const { zxid } = await client.addWatch(paths.keys);
      if (epoch !== this.#epoch) return;
      this.#recent.begin(zxid);
      this.#told = zxid;
      this.#ready = true;
      for (const watcher of this.#watchers) watcher.wake();
      this.#schedule();
    } catch (error) {
      if (epoch !== this.#epoch) return;
      failed(error);
      if (hasCode(error, "UNIMPLEMENTED")) log?.warn("this ZooKeeper is older than 3.6: it cannot watch a tree");
      this.#startLater(epoch);
    }
  }

  #startLater(epoch: number): void {
    const timer = setTimeout(() => {
      if (epoch === this.#epoch && this.#options.client.state.state === "connected") void this.#start();
    }, 1000);
    timer.unref();
  }

  #stop(): void {
    this.#epoch++;
    this.#ready = false;
    this.#dirty.clear();
    for (const watcher of this.#watchers) {
      watcher.mode = "stale";
      watcher.pending = new Map();
      watcher.wake();
    }
  }

  /** At the end of this turn, when all that came in one piece was seen. */
  #schedule(): void {
    if (this.#reading) return;
    this.#reading = true;
    queueMicrotask(() => {
      void this.#readDirty().finally(() => {
        this.#reading = false;
        if (this.#dirty.size > 0 && this.#ready) this.#schedule();
      });
    });
  }

  async #readDirty(): Promise<void> {
    const { client, paths, failed } = this.#options;
    while (this.#dirty.size > 0 && this.#ready) {
      const epoch = this.#epoch;
      const keys: string[] = [];
      for (const key of this.#dirty) {
        if (keys.length === batchSize) break;
        keys.push(key);
        this.#dirty.delete(key);
      }
      // What was seen up to here, but for what still waits, is in this batch.
      const seen = this.#dirty.size === 0 ? client.lastZxid : this.#told;
      try {
        const changes = await Promise.all(keys.map((key) => this.#read(key, paths.of(key))));
        if (epoch !== this.#epoch) return;
        this.#told = Math.max(this.#told, this.#dirty.size === 0 ? client.lastZxid : seen);
        this.#publish(changes.filter((change) => this.#recent.add(change)));
      } catch (error) {
        if (epoch !== this.#epoch) return;
        failed(error);
        this.#stop();
        this.#startLater(this.#epoch);
      }
    }
  }

  async #read(key: string, path: string): Promise<Change> {
    const { node, zxid } = await this.#options.client.getData(path);
    const entry = node && entryOf(key, node);
    return entry ? { type: "put", entry } : { type: "delete", key, rev: zxid };
  }

  #publish(changes: readonly Change[]): void {
    for (const watcher of this.#watchers) {
      if (watcher.mode === "stale") continue;
      const mine = changes.filter((change) => keyOf(change).startsWith(watcher.prefix));
      if (watcher.mode === "live") {
        if (mine.length > 0 || (watcher.owed > 0 && watcher.owed <= this.#told)) this.#push(watcher, mine);
        continue;
      }
      for (const change of mine) watcher.pending.set(keyOf(change), change);
      if (watcher.pending.size > maxPending) watcher.mode = "stale";
    }
  }

  #push(watcher: Watcher, changes: readonly Change[]): void {
    watcher.owed = changes.reduce((most, change) => Math.max(most, revisionOf(change)), watcher.owed);
    if (watcher.owed <= this.#told) watcher.owed = 0;
    if (watcher.buffer.push(changes, this.#told)) return;
    watcher.mode = "stale";
    watcher.wake();
  }
}

function overlaid(entries: readonly Entry[], changes: ReadonlyMap<string, Change>): Entry[] {
  if (changes.size === 0) return [...entries];
  const state = new Map(entries.map((entry) => [entry.key, entry]));
  for (const [key, change] of changes) {
    const known = state.get(key)?.modRev ?? 0;
    if (revisionOf(change) < known) continue;
    if (change.type === "put") state.set(key, change.entry);
    else state.delete(key);
  }
  return sortByKey([...state.values()]);
}

/** Until it is woken, or for so long. */
function sleep(watcher: Watcher, ms?: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = ms === undefined ? undefined : setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      watcher.wake = () => {};
      resolve();
    }
    watcher.wake = done;
  });
}
