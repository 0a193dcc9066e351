import type { Revision, Snapshot } from "../store.ts";
import { StoreError } from "../storeError.ts";
import type { WatchBuffer } from "../watchBuffer.ts";
import { compareLists, type Known, knownOf, type Listed } from "./compareLists.ts";
import { askAnew } from "./consulClient.ts";
import { Pace } from "./pace.ts";
import type { Keys } from "./wire.ts";

/** A blocking query as the follower sees it. */
export interface ListQuestion {
  listed: Promise<Listed>;
  end(reason: StoreError): void;
}

/** What following a prefix needs. */
export interface FollowContext {
  keys: Keys;
  /** Lists a prefix as soon as its index is above `index`, or at once for 0. */
  ask(prefix: string, index: number): ListQuestion;
  /** A question that is silent for so long, while the store changed, is asked anew. In ms. */
  silentMs: number;
  failed(error: StoreError): void;
  /** Calls back with the index of the whole store, now and then. */
  onIndex(callback: (index: number) => void): () => void;
}

/**
 * Fills the buffer with what happens under a prefix after `from`, until the buffer ends. Consul has no history: each
 * answer is the whole prefix, to be compared with the one before, and what came between two is merged.
 */
export async function followPrefix(
  context: FollowContext,
  prefix: string,
  from: Revision | undefined,
  buffer: WatchBuffer,
): Promise<void> {
  const pace = new Pace({ burst: 5, perSecond: 20, share: 0.25 }, performance.now());
  let known: Known | undefined;
  let resume = from;
  let index = 0;
  let failures = 0;
  // Up to which index of the whole store a silent question has been asked anew.
  let settled = 0;
  while (!buffer.ended) {
    try {
      await pause(pace.take(performance.now()), buffer);
      if (buffer.ended) return;
      const question = context.ask(prefix, index);
      const askedAt = performance.now();
      const listed = await answerOf(context, question, buffer, (now) => {
        // The change may be under another prefix. But a connection may be half-open as well, and a delete of a shorter
        // prefix (delete-tree) wakes no question about a longer one.
        if (now <= Math.max(known?.rev ?? 0, settled) || performance.now() - askedAt < context.silentMs) return;
        settled = now;
        question.end(askAnew);
      });
      const started = performance.now();
      failures = 0;
      index = Math.max(1, listed.index); // 0 would not block
      if (!known && listed.index === resume) known = knownOf(listed);
      const changes = known && compareLists(context.keys, known, listed);
      resume = undefined;
      if (!known || !changes) {
        known = knownOf(listed);
        buffer.reset(snapshotOf(context.keys, listed));
      } else if (!buffer.push(changes, known.rev)) {
        known = undefined;
        index = 0;
        await buffer.taken(); // a list for one who does not listen would be old at once
      }
      pace.spent(performance.now() - started);
    } catch (error) {
      if (error === askAnew) {
        index = 0;
        continue;
      }
      const told =
        error instanceof StoreError ? error : new StoreError("unavailable", `consul watch: ${error}`, { cause: error });
      if (told.code === "closed" || buffer.ended) return;
      context.failed(told);
      index = 0; // whoever answers next may have another history
      await pause(Math.min(5000, 100 * 2 ** Math.min(failures++, 6)) * (0.5 + Math.random() / 2), buffer);
    }
  }
}

/** One question's answer; given up when the watch ends. `onIndex` is told the index of the whole store meanwhile. */
async function answerOf(
  context: FollowContext,
  question: ListQuestion,
  buffer: WatchBuffer,
  onIndex: (index: number) => void,
): Promise<Listed> {
  const forgetIndex = context.onIndex(onIndex);
  const forgetEnd = buffer.onEnd(() => question.end(ended));
  try {
    return await question.listed;
  } finally {
    forgetIndex();
    forgetEnd();
  }
}

const ended = new StoreError("closed", "the watch has ended");

const snapshotOf = (keys: Keys, listed: Listed): Snapshot => ({
  rev: listed.index,
  entries: listed.entries.map((wire) => keys.entry(wire)),
});

async function pause(ms: number, buffer: WatchBuffer): Promise<void> {
  if (ms <= 0) return;
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
