import type { Revision } from "../store.ts";
import type { Change } from "../watchBuffer.ts";

/**
 * The last change of each of the keys that changed lately: ZooKeeper cannot replay, so what this process saw is kept for those who
 * listed and then watch. Bounded by keys and by bytes.
 */
export class RecentChanges {
  readonly #maxKeys: number;
  readonly #maxBytes: number;
  readonly #changes = new Map<string, Change>();
  #bytes = 0;
  #since: Revision = Number.POSITIVE_INFINITY;

  constructor(maxKeys = 4096, maxBytes = 4 << 20) {
    this.#maxKeys = maxKeys;
    this.#maxBytes = maxBytes;
  }

  /** Every change after this revision is here. */
  get since(): Revision {
    return this.#since;
  }

  /** Forgets everything; what comes after `since` will be added. */
  begin(since: Revision): void {
    this.#changes.clear();
    this.#bytes = 0;
    this.#since = since;
  }

  /** False when it is known already. */
  add(change: Change): boolean {
    const key = keyOf(change);
    const known = this.#changes.get(key);
    // A key that is read twice without a change in between; one that was made and deleted in between was and is absent.
    if (known?.type === "delete" && change.type === "delete") return false;
    if (known && revisionOf(change) <= revisionOf(known)) return false;
    if (known) this.#drop(key, known);
    this.#changes.set(key, change);
    this.#bytes += sizeOf(change);
    for (const [oldest, dropped] of this.#changes) {
      if (this.#changes.size <= this.#maxKeys && this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest, dropped);
      this.#since = Math.max(this.#since, revisionOf(dropped));
    }
    return true;
  }

  /** Those under a prefix after a revision, in the order that they came. */
  after(prefix: string, from: Revision): Change[] {
    return [...this.#changes.values()].filter(
      (change) => revisionOf(change) > from && keyOf(change).startsWith(prefix),
    );
  }

  #drop(key: string, change: Change): void {
    this.#changes.delete(key);
    this.#bytes -= sizeOf(change);
  }
}

export const keyOf = (change: Change): string => (change.type === "put" ? change.entry.key : change.key);

export const revisionOf = (change: Change): Revision => (change.type === "put" ? change.entry.modRev : change.rev);

const sizeOf = (change: Change): number =>
  200 + keyOf(change).length * 2 + (change.type === "put" ? change.entry.value.length : 0);
