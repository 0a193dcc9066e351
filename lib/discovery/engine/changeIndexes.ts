import type { ServiceState } from "./serviceState.ts";

/**
 * The indexes of changes: the store's revisions, but each above all before it, since some stores make several steps of one
 * revision. And those of the services that exist no more: a reader may wait for one that is absent, and must not be woken by
 * others that come and go. Only the last departures are remembered one by one.
 */
export class ChangeIndexes {
  /** Of the list of services and their number of instances. */
  ofList = 0;
  /** The greatest that was given. */
  last = 0;
  readonly #gone = new Map<string, number>();
  readonly #limit: number;
  /** At least what any departure that is forgotten had. */
  #floor = 0;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** Of what changes in a step to `rev`, when everything up to `known` was shown before. */
  next(rev: number, known: number): number {
    return Math.max(rev, known + 1, this.last + 1);
  }

  /**
   * The store's revisions went back to `rev`: the index of what differs, which nothing had before, so that nobody can take the
   * new state for the old one. No older one stays above it.
   */
  goBack(rev: number, services: Iterable<ServiceState>): number {
    const all = [...services];
    const had = new Set([this.ofList, this.#floor, ...this.#gone.values(), ...all.map(({ changedAt }) => changedAt)]);
    let at = Math.max(1, rev);
    while (had.has(at)) at++;
    for (const state of all) state.changedAt = Math.min(state.changedAt, at);
    for (const [service, left] of this.#gone) this.#gone.set(service, Math.min(left, at));
    this.ofList = Math.min(this.ofList, at);
    this.#floor = Math.min(this.#floor, at);
    this.last = at;
    return at;
  }

  /** Index of a service that does not exist. At least 1: 0 is "I know nothing". */
  ofAbsent(service: string): number {
    return Math.max(1, this.#gone.get(service) ?? this.#floor);
  }

  leave(service: string, rev: number): void {
    this.#gone.delete(service);
    this.#gone.set(service, rev);
    if (this.#gone.size <= this.#limit) return;
    for (const [oldest, at] of this.#gone) {
      this.#gone.delete(oldest);
      this.#floor = Math.max(this.#floor, at);
      return;
    }
  }

  come(service: string): void {
    this.#gone.delete(service);
  }
}
