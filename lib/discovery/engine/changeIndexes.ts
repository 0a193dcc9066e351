/**
 * The revision of each service's last change, for those that exist no more too: a reader may wait for a service that is absent,
 * and must not be woken by others that come and go. Only the last departures are remembered one by one.
 */
export class ChangeIndexes {
  /** Of the list of services and their number of instances. */
  ofList = 0;
  readonly #gone = new Map<string, number>();
  readonly #limit: number;
  /** At least what any departure that is forgotten had. */
  #floor = 0;

  constructor(limit = 4096) {
    this.#limit = limit;
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
