import { setImmediate } from "node:timers";
import { StoreError } from "../storeError.ts";

/** A request that waits for the next commit. */
export interface Pending<Request, Result> {
  request: Request;
  weight: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers requests and hands them on together, so that many share one fsync. What arrives in one turn of the event
 * loop, or while a commit blocks it, makes the next group: a lone client waits for nobody.
 */
export class GroupCommit<Request, Result> {
  readonly #commit: (group: Pending<Request, Result>[]) => void;
  readonly #maxWeight: number;
  readonly #maxWaiting: number;
  #waiting: Pending<Request, Result>[] = [];
  #scheduled = false;

  /** `commit` settles every request of its group and does not throw; it holds everything else up, so a group's weight is bounded. */
  constructor(commit: (group: Pending<Request, Result>[]) => void, maxWeight = 4096, maxWaiting = 65_536) {
    this.#commit = commit;
    this.#maxWeight = maxWeight;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * `weight` is the number of its operations.
   * @throws {StoreError} unavailable when too many wait already
   */
  submit(request: Request, weight = 1): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) {
      return Promise.reject(new StoreError("unavailable", `${this.#maxWaiting} writes wait already`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, weight, resolve, reject });
      this.#schedule();
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commit(this.#next());
  }

  /** At least one, and no more than a group may weigh. */
  #next(): Pending<Request, Result>[] {
    let weight = 0;
    const end = this.#waiting.findIndex((one, i) => {
      weight += one.weight;
      return i > 0 && weight > this.#maxWeight;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#waiting.length > 0) this.#commit(this.#next());
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
