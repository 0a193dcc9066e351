import type { Revision, Snapshot } from "../store.ts";
import { StoreError } from "../storeError.ts";
import type { Change, WatchBuffer } from "../watchBuffer.ts";
import { toEtcdError } from "./etcdError.ts";
import type { EtcdGateway } from "./gateway.ts";
import { type Keys, parseAnswer, rangeOf, revisionOf, type WatchAnswer } from "./wire.ts";

/** What following a prefix needs. */
export interface FollowContext {
  gateway: EtcdGateway;
  keys: Keys;
  /** A stream that is silent for so long is opened anew, since it may be half-open. In ms. */
  silentMs: number;
  list(prefix: string): Promise<Snapshot>;
  /** The cluster that answered last. */
  cluster(): string | undefined;
  /** The revision of the cluster now, by a linearizable read. */
  currentRevision(): Promise<Revision>;
}

/** Why a stream ended, when not by an error: `old` means that only a fresh list can tell the state. */
type Outcome = "old" | "overflow" | "silent";

/**
 * Fills the buffer with what happens under a prefix after `from`, until the buffer ends: list, follow, and after each
 * loss follow on from the last revision, or list again when etcd has compacted it.
 */
export async function followPrefix(
  context: FollowContext,
  prefix: string,
  from: Revision | undefined,
  buffer: WatchBuffer,
): Promise<void> {
  let rev = from;
  let cluster = context.cluster(); // revisions of another one mean nothing here
  let failures = 0;
  while (!buffer.ended) {
    try {
      if (rev === undefined) {
        const snapshot = await context.list(prefix);
        buffer.reset(snapshot);
        rev = snapshot.rev;
        cluster = context.cluster();
      }
      const outcome = await followStream(context, prefix, { rev, cluster }, buffer, (reached) => {
        rev = reached;
        failures = 0;
      });
      if (outcome === "silent") continue;
      rev = undefined;
      if (outcome === "overflow") await buffer.taken(); // a list for one who does not listen would be old at once
    } catch (error) {
      const told =
        error instanceof StoreError ? error : new StoreError("unavailable", `etcd watch: ${error}`, { cause: error });
      if (told.code === "closed" || buffer.ended) return;
      context.gateway.failed(told);
      await pause(Math.min(5000, 100 * 2 ** Math.min(failures++, 6)) * (0.5 + Math.random() / 2), buffer);
    }
  }
}

async function followStream(
  context: FollowContext,
  prefix: string,
  from: { rev: Revision; cluster: string | undefined },
  buffer: WatchBuffer,
  reached: (rev: Revision) => void,
): Promise<Outcome> {
  const { gateway, keys } = context;
  const range = rangeOf(keys.full(prefix));
  const create = { create_request: { ...range, start_revision: String(from.rev + 1), progress_notify: true } };
  const stream = await gateway.stream("/watch", JSON.stringify(create));
  if (buffer.ended) stream.end(ended);
  const stop = buffer.onEnd(() => stream.end(ended));
  let silent = false;
  let lastHeard = performance.now();
  const check = setInterval(() => {
    if (performance.now() - lastHeard < context.silentMs) return;
    silent = true;
    stream.end(ended);
  }, context.silentMs / 4);
  check.unref();
  let { rev } = from;
  try {
    for await (const line of stream.lines) {
      if (line.trim() === "") continue;
      lastHeard = performance.now();
      const { result } = parseAnswer<{ result?: WatchAnswer }>(line);
      if (!result) throw toEtcdError("watch", line, 200);
      if (result.compact_revision !== undefined) return "old";
      if (result.canceled)
        throw toEtcdError("watch", JSON.stringify({ message: result.cancel_reason ?? "canceled" }), 200);
      if (result.created) {
        if (from.cluster !== undefined && result.header?.cluster_id !== from.cluster) return "old";
        // A member that lags behind is not yet another cluster: only a linearizable read can tell.
        if (revisionOf(result.header) < from.rev && (await context.currentRevision()) < from.rev) return "old";
        continue;
      }
      gateway.alive(); // not before: a member without a quorum opens watches too
      const changes = changesOf(keys, result);
      // With events, the header may be ahead of them: etcd sends a late watcher 1,000 revisions at a time. Without, it
      // is a progress notice, which etcd sends only to those who have seen all.
      rev = Math.max(rev, result.events ? changes.rev : revisionOf(result.header));
      reached(rev);
      if (!buffer.push(changes.changes, rev)) return "overflow";
    }
    throw new StoreError("unavailable", "etcd ended the watch");
  } catch (error) {
    if (silent) return "silent";
    throw error;
  } finally {
    clearInterval(check);
    stop();
    stream.end(ended);
  }
}

const ended = new StoreError("closed", "the watch has ended");

function changesOf(keys: Keys, answer: WatchAnswer): { changes: Change[]; rev: Revision } {
  const changes: Change[] = [];
  let rev = 0;
  for (const { type, kv } of answer.events ?? []) {
    const modRev = Number(kv?.mod_revision ?? 0);
    rev = Math.max(rev, modRev);
    const key = kv && keys.key(kv);
    if (kv === undefined || key === undefined) continue;
    const entry = type === "DELETE" ? undefined : keys.entry(kv);
    changes.push(entry ? { type: "put", entry } : { type: "delete", key, rev: modRev });
  }
  return { changes, rev };
}

async function pause(ms: number, buffer: WatchBuffer): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    const forget = buffer.onEnd(done);
    function done(): void {
      clearTimeout(timer);
      forget();
      resolve();
    }
  });
}
