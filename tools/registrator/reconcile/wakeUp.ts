/** Lets one loop sleep until something happened or a time has come; what happens while it is awake is not lost. */
export class WakeUp {
  #pending = false;
  #wake: (() => void) | undefined;

  call(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** At most `ms`; Infinity sleeps until called. */
  async sleep(ms: number): Promise<void> {
    if (!this.#pending) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(resolve, Math.max(0, ms));
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
      this.#wake = undefined;
    }
    this.#pending = false;
  }
}
