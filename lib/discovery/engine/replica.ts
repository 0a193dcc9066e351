import type { Entry, Store } from "../../store/store.ts";
import { Catalog, type StepResult } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import type { EngineLog } from "./engineLog.ts";
import { rootPrefix } from "./keys.ts";

interface ReplicaOptions {
  store: Store;
  clock: Clock;
  log: EngineLog;
  onStep: (result: StepResult, rev: number) => void;
  /** Everything was read: `isFirst` when nothing was known before, `wentBackFrom` when revisions are lower than they were. */
  onReset: (what: { isFirst: boolean; wentBackFrom: number | undefined }) => void;
}

type Change = Entry | { key: string; rev: number };

/** The store's state in this process: a catalog that follows the store's watch, and who waits for a revision. */
export class Replica {
  readonly catalog = new Catalog();
  readonly #options: ReplicaOptions;
  readonly #waiters = new Set<{ rev: number; resolve: () => void }>();
  #ready = false;

  constructor(options: ReplicaOptions) {
    this.#options = options;
  }

  /** The state was read at least once. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Whether reads show everything up to `rev` within `timeoutMs`. */
  reached(rev: number, timeoutMs: number): Promise<boolean> {
    const isReached = () => this.#ready && this.catalog.rev >= rev;
    if (isReached()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(isReached());
      };
      const timer = setTimeout(done, timeoutMs);
      const waiter = { rev, resolve: done };
      this.#waiters.add(waiter);
    });
  }

  /** The one way that state comes in: the first snapshot, changes, and the snapshot after any loss are all steps. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, log, clock } = this.#options;
    while (!signal.aborted) {
      try {
        let changes: Change[] = [];
        for await (const event of store.watch(rootPrefix, undefined, signal)) {
          if (event.type === "put") changes.push(event.entry);
          else if (event.type === "delete") changes.push({ key: event.key, rev: event.rev });
          else if (event.type === "progress") {
            this.#steps(changes, event.rev);
            changes = [];
          } else {
            changes = [];
            this.#reset(event.snapshot);
          }
        }
      } catch (error) {
        log.error("the store's watch failed; starting it again", { error: String(error) });
      }
      if (!signal.aborted) await clock.sleep(500, signal);
    }
    for (const waiter of this.#waiters) waiter.resolve();
  }

  #reset(snapshot: { rev: number; entries: Entry[] }): void {
    const before = this.catalog.rev;
    this.#apply(this.catalog.stepTo(snapshot));
    const isFirst = !this.#ready;
    this.#ready = true;
    this.#options.onReset({ isFirst, wentBackFrom: snapshot.rev < before ? before : undefined });
    this.#settle();
  }

  /**
   * Stores with one order give each revision a step, so that its events have their own; the others one a batch, and several
   * batches may have one revision, or what was read since. Only a reset goes back.
   */
  #steps(changes: readonly Change[], upTo: number): void {
    const ordered = this.#options.store.capabilities.orderedAcrossKeys;
    let step: { rev: number; puts: Entry[]; deletes: string[] } | undefined;
    for (const change of changes) {
      const own = ordered ? ("value" in change ? change.modRev : change.rev) : upTo;
      const rev = Math.max(own, this.catalog.rev);
      if (step && step.rev !== rev) {
        this.#apply(step);
        step = undefined;
      }
      step ??= { rev, puts: [], deletes: [] };
      if ("value" in change) step.puts.push(change);
      else step.deletes.push(change.key);
    }
    if (step) this.#apply(step);
    this.catalog.rev = Math.max(this.catalog.rev, upTo);
    this.#settle();
  }

  #apply(step: { rev: number; puts: readonly Entry[]; deletes: readonly string[] }): void {
    const result = this.catalog.apply(step);
    if (result.spoilt.length > 0) {
      const what = { keys: result.spoilt.slice(0, 10), count: result.spoilt.length };
      this.#options.log.warn("entries in the store that cannot be read are left out", what);
    }
    this.#options.onStep(result, step.rev);
  }

  #settle(): void {
    for (const waiter of this.#waiters) if (this.catalog.rev >= waiter.rev) waiter.resolve();
  }
}
