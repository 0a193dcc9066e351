/** How often something may happen at most. */
export interface PaceOptions {
  /** So many at once, after a rest. */
  burst: number;
  perSecond: number;
  /** Share of the time that may go into the work itself, 0 to 1. */
  share: number;
}

/** A token bucket that also bounds how much of the time goes into the work: against loops that are hot for whatever reason. */
export class Pace {
  readonly #options: PaceOptions;
  #tokens: number;
  #at: number;

  constructor(options: PaceOptions, now: number) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#at = now;
  }

  /** Takes one token; how many ms to wait before the work. */
  take(now: number): number {
    const { burst, perSecond } = this.#options;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1000) - 1;
    this.#at = now;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / perSecond;
  }

  /** The work took so long: tokens go for what is above the share. */
  spent(ms: number): void {
    const { perSecond, share } = this.#options;
    this.#tokens -= Math.max(0, (ms / share) * (perSecond / 1000) - 1);
  }
}
