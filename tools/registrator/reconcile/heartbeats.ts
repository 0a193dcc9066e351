/** Which registrations have to be written again now, so that they do not expire. Never, where they stay by themselves. */
export class Heartbeats {
  readonly #everyMs: number | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  readonly #waiting = new Set<string>();

  constructor(everyMs: number | undefined) {
    this.#everyMs = everyMs;
  }

  /** When the next round is due, ms since the epoch; Infinity: never, or not begun. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** From now on: the registry was read. */
  begin(): void {
    if (this.#everyMs && this.#dueAt === Number.POSITIVE_INFINITY) this.#dueAt = Date.now() + this.#everyMs;
  }

  /** The keys that wait for theirs; when a round is due, all of them. A key that is beaten is to be told to `done`. */
  waiting(all: () => Iterable<string>): Iterable<string> {
    if (this.#everyMs && Date.now() >= this.#dueAt) {
      this.#dueAt = Date.now() + this.#everyMs * (0.75 + Math.random() / 4);
      for (const key of all()) this.#waiting.add(key);
    }
    return this.#waiting;
  }

  done(key: string): void {
    this.#waiting.delete(key);
  }
}
