/**
 * A value that is watched: each watcher gets the value of now, then the newest whenever it changed; a slow one misses those
 * in between, never the last.
 */
export class Table<T> {
  #text: string;
  #wake: (() => void)[] = [];
  value: T;
  #version = 0;

  constructor(initial: T) {
    this.value = initial;
    this.#text = JSON.stringify(initial);
  }

  /** Watchers hear of it when its JSON differs. */
  set(value: T): void {
    this.value = value;
    const text = JSON.stringify(value);
    if (text === this.#text) return;
    this.#text = text;
    this.#version++;
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  async *watch(signal: AbortSignal): AsyncGenerator<T> {
    for (let seen = -1; !signal.aborted; ) {
      if (seen !== this.#version) {
        seen = this.#version;
        yield this.value;
        continue;
      }
      await new Promise<void>((resolve) => {
        const done = () => {
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#wake.push(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }
}
