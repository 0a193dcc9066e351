import type { Store } from "../../../../lib/store/store.ts";

interface LeaseLog {
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** One lease for all keys of a registrator, kept alive until it is closed; then it runs out by itself. */
export class SharedLease {
  readonly #store: Store;
  readonly #ttlMs: number;
  readonly #log: LeaseLog;
  readonly #timer: ReturnType<typeof setInterval>;
  #granting: Promise<string> | undefined;
  #isBeating = false;
  readonly #listeners = new Set<() => void>();
  /** The lease that keys should have; undefined: there is none now. */
  current: string | undefined;

  constructor(store: Store, ttlMs: number, refreshMs: number, log: LeaseLog) {
    this.#store = store;
    this.#ttlMs = ttlMs;
    this.#log = log;
    this.#timer = setInterval(() => void this.#beat(), refreshMs);
    this.#timer.unref();
  }

  /** Its id; granted first where there is none. @throws {StoreError} */
  async granted(): Promise<string> {
    if (this.current !== undefined) return this.current;
    this.#granting ??= this.#store.grantLease(this.#ttlMs).then(
      ({ id }) => {
        this.current = id;
        this.#granting = undefined;
        return id;
      },
      (error: unknown) => {
        this.#granting = undefined;
        throw error;
      },
    );
    return await this.#granting;
  }

  /** It is no more, and its keys are gone: the next write asks for another. */
  lost(): void {
    if (this.current === undefined) return;
    this.current = undefined;
    for (const tell of this.#listeners) tell();
  }

  /** Yields when the lease was lost. */
  async *losses(signal: AbortSignal): AsyncGenerator<undefined> {
    let wake = () => {};
    let news = false;
    const tell = () => {
      news = true;
      wake();
    };
    const stop = () => wake();
    this.#listeners.add(tell);
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        if (!news) await promise;
        if (news && !signal.aborted) yield undefined;
        news = false;
      }
    } finally {
      this.#listeners.delete(tell);
      signal.removeEventListener("abort", stop);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    const id = this.current;
    if (id === undefined || this.#isBeating) return;
    this.#isBeating = true;
    try {
      if ((await this.#store.keepAlive([id])).get(id) === "expired" && this.current === id) {
        this.#log.warn("the lease ran out; everything is registered again under another");
        this.lost();
      }
    } catch {
      // Away: the store says so in its status, and the next beat tries again.
    } finally {
      this.#isBeating = false;
    }
  }
}
