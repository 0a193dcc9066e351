import type { DiscoveryEvent } from "../discovery.ts";

/** The last events with the place of their step among the revisions, so that watches can resume. A ring: the oldest give way. */
export class EventLog {
  readonly #limit: number;
  #events: { event: DiscoveryEvent; rev: number }[] = [];
  #head = 0;
  /** Resuming is possible from this revision on. */
  #oldest: number;

  constructor(limit: number, rev: number) {
    this.#limit = limit;
    this.#oldest = rev;
  }

  add(events: readonly DiscoveryEvent[], rev: number): void {
    for (const event of events) {
      if (this.#events.length < this.#limit) {
        this.#events.push({ event, rev });
        continue;
      }
      const lost = this.#events[this.#head];
      if (lost) this.#oldest = lost.rev;
      this.#events[this.#head] = { event, rev };
      this.#head = (this.#head + 1) % this.#limit;
    }
  }

  /** Events after `from` that `wanted` lets through; undefined when some of them may be gone, or `from` is not of ours. */
  since(from: number, now: number, wanted: (event: DiscoveryEvent) => boolean): DiscoveryEvent[] | undefined {
    if (from < this.#oldest || from > now) return undefined;
    const events: DiscoveryEvent[] = [];
    for (let i = 0; i < this.#events.length; i++) {
      const kept = this.#events[(this.#head + i) % this.#events.length];
      if (kept && kept.rev > from && wanted(kept.event)) events.push(kept.event);
    }
    return events;
  }

  /** Starts anew: what was before `rev` cannot be resumed, nor what could not before. */
  clear(rev: number): void {
    this.#events = [];
    this.#head = 0;
    this.#oldest = Math.max(this.#oldest, rev);
  }
}
