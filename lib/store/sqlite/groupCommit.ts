import { setImmediate } from "node:timers";
import { StoreError } from "../storeError.ts";

/** A request that waits for the next commit. */
export interface Pending<Request, Result> {
  request: Request;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers requests and hands them on together, so that many share one fsync. What arrives in one turn of the event
 * loop, or while a commit blocks it, makes the next group: a lone client waits for nobody.
 */
export class GroupCommit<Request, Result> {
  readonly #commit: (group: Pending<Request, Result>[]) => void;
  readonly #maxGroup: number;
  readonly #maxWaiting: number;
  #waiting: Pending<Request, Result>[] = [];
  #scheduled = false;

  /** `commit` settles every request of its group and does not throw. */
  constructor(commit: (group: Pending<Request, Result>[]) => void, maxGroup = 512, maxWaiting = 65_536) {
    this.#commit = commit;
    this.#maxGroup = maxGroup;
    this.#maxWaiting = maxWaiting;
  }

  /** @throws {StoreError} unavailable when too many wait already */
  submit(request: Request): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) {
      return Promise.reject(new StoreError("unavailable", `${this.#maxWaiting} writes wait already`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#schedule();
    });
  }

  /** Commits what waits, now. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commit(this.#waiting.splice(0, this.#maxGroup));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#waiting.length > 0) this.#commit(this.#waiting.splice(0, this.#maxGroup));
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}
