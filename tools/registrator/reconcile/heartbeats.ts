/** Which registrations have to be written again now, so that they do not expire. Never, where they stay by themselves. */
export class Heartbeats {
  readonly #registry: { readonly heartbeatMs?: number | undefined };
  #dueAt = Number.POSITIVE_INFINITY;
  readonly #waiting = new Set<string>();

  /** @param registry asked each time: one that tells the server's version first knows only once it was read */
  constructor(registry: { readonly heartbeatMs?: number | undefined }) {
    this.#registry = registry;
  }

  /** When the next round is due, ms since the epoch; Infinity: never, or not begun. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** From now on: the registry was read. */
  begin(): void {
    const { heartbeatMs } = this.#registry;
    if (heartbeatMs && this.#dueAt === Number.POSITIVE_INFINITY) this.#dueAt = Date.now() + heartbeatMs;
  }

  /** The keys that wait for theirs; when a round is due, all of them. A key that is beaten is to be told to `done`. */
  waiting(all: () => Iterable<string>): Iterable<string> {
    const { heartbeatMs } = this.#registry;
    if (heartbeatMs && Date.now() >= this.#dueAt) {
      this.#dueAt = Date.now() + heartbeatMs * (0.75 + Math.random() / 4);
      for (const key of all()) this.#waiting.add(key);
    }
    return this.#waiting;
  }

  done(key: string): void {
    this.#waiting.delete(key);
  }
}
