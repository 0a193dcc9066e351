import type { Revision, Snapshot, StoreEvent } from "./store.ts";

/** A change of one key. */
export type Change = Extract<StoreEvent, { type: "put" | "delete" }>;

/** What a consumer takes at once. */
export interface WatchBatch {
  /** Comes first: forget everything else. */
  snapshot?: Snapshot;
  changes: Change[];
  /** Everything up to here is in this batch or in one before. */
  rev: Revision;
  /** Changes were dropped because there were too many: re-read. Then `changes` is empty. */
  lost: boolean;
}

/**
 * What stands between a store and one slow consumer: the last change of each key, at most `limit` keys. Above that
 * it forgets them all and says `lost`, so memory is bounded whatever the consumer does.
 */
export class WatchBuffer {
  readonly #limit: number;
  #changes = new Map<string, Change>();
  #snapshot: Snapshot | undefined;
  #rev: Revision | undefined;
  #lost = false;
  #ended = false;
  #wakeConsumer: (() => void) | undefined;
  #wakeProducer: (() => void) | undefined;
  readonly #onEnd = new Set<() => void>();

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Adds a step's changes, in order. False: there were too many, and the consumer will be told `lost`. */
  push(changes: readonly Change[], rev: Revision): boolean {
    this.#rev = rev;
    if (!this.#lost) {
      for (const change of changes) {
        const key = change.type === "put" ? change.entry.key : change.key;
        this.#changes.delete(key); // so that the last change also stands last
        this.#changes.set(key, change);
      }
      if (this.#changes.size > this.#limit) this.lose();
    }
    this.#wake();
    return !this.#lost;
  }

  /** Replaces everything that was not yet taken. */
  reset(snapshot: Snapshot): void {
    this.#changes.clear();
    this.#snapshot = snapshot;
    this.#rev = snapshot.rev;
    this.#lost = false;
    this.#wake();
  }

  /** Forgets what was not yet taken; the next batch says so. */
  lose(): void {
    this.#changes.clear();
    this.#snapshot = undefined;
    this.#lost = true;
    this.#wake();
  }

  /** Calls back once when the watch ends; returns how to forget it. */
  onEnd(callback: () => void): () => void {
    this.#onEnd.add(callback);
    return () => this.#onEnd.delete(callback);
  }

  end(): void {
    this.#ended = true;
    this.#changes.clear();
    this.#snapshot = undefined;
    this.#wake();
    this.#wakeProducer?.();
    for (const callback of this.#onEnd) callback();
    this.#onEnd.clear();
  }

  /** The next batch as soon as there is one; undefined after `end()`. For one consumer. */
  async take(): Promise<WatchBatch | undefined> {
    while (!this.#ended) {
      if (this.#lost || this.#rev !== undefined) {
        const batch: WatchBatch = { changes: [...this.#changes.values()], rev: this.#rev ?? 0, lost: this.#lost };
        if (this.#snapshot) batch.snapshot = this.#snapshot;
        this.#changes = new Map();
        this.#snapshot = undefined;
        this.#rev = undefined;
        this.#lost = false;
        this.#wakeProducer?.();
        return batch;
      }
      await new Promise<void>((resolve) => {
        this.#wakeConsumer = resolve;
      });
    }
    return undefined;
  }

  /** Resolves when the consumer has taken everything, or at the end: a producer re-reads only for one who listens. */
  async taken(): Promise<void> {
    while (!this.#ended && (this.#lost || this.#rev !== undefined)) {
      await new Promise<void>((resolve) => {
        this.#wakeProducer = resolve;
      });
    }
  }

  #wake(): void {
    this.#wakeConsumer?.();
    this.#wakeConsumer = undefined;
  }
}

/** One batch as events; ends early when the watch does. */
export function* eventsOf(batch: WatchBatch, ended: () => boolean): Generator<StoreEvent> {
  if (batch.snapshot && !ended()) yield { type: "reset", snapshot: batch.snapshot };
  for (const change of batch.changes) {
    if (ended()) return;
    yield change;
  }
  if (!ended()) yield { type: "progress", rev: batch.rev };
}
