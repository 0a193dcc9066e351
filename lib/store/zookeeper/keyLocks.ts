/** Lets work on the same keys go one after the other, so that writers in one process do not make each other try again. */
export class KeyLocks {
  readonly #last = new Map<string, Promise<void>>();

  async run<T>(keys: ReadonlySet<string>, work: () => Promise<T>): Promise<T> {
    const before = [...keys].map((key) => this.#last.get(key));
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const key of keys) this.#last.set(key, promise);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      for (const key of keys) if (this.#last.get(key) === promise) this.#last.delete(key);
      resolve();
    }
  }
}
