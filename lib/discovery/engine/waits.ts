interface Wait {
  done: () => void;
}

/** Readers that wait for a service (or, under undefined, the list of them) to change. */
export class Waits {
  readonly #of = new Map<string | undefined, Set<Wait>>();

  /** Resolves when `wake` is called for the name, the time is over, or the signal fires. */
  wait(name: string | undefined, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted || timeoutMs <= 0) return resolve();
      let set = this.#of.get(name);
      if (!set) {
        set = new Set();
        this.#of.set(name, set);
      }
      const own = set;
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        own.delete(wait);
        if (own.size === 0 && this.#of.get(name) === own) this.#of.delete(name);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      const wait: Wait = { done };
      own.add(wait);
      signal?.addEventListener("abort", done);
    });
  }

  wake(name: string | undefined): void {
    const set = this.#of.get(name);
    if (!set) return;
    this.#of.delete(name);
    for (const { done } of set) done();
  }

  wakeAll(): void {
    for (const name of [...this.#of.keys()]) this.wake(name);
  }
}
