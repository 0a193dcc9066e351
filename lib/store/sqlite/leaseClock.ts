import type { LeaseId } from "../store.ts";

interface Running {
  ttlMs: number;
  deadline: number;
}

/**
 * When each lease runs out, in memory, on a clock that never jumps. Pure: time comes from the caller, in ms.
 * A keepalive is only a number here, never a write.
 */
export class LeaseClock {
  readonly #leases = new Map<LeaseId, Running>();

  get size(): number {
    return this.#leases.size;
  }

  start(id: LeaseId, ttlMs: number, now: number): void {
    this.#leases.set(id, { ttlMs, deadline: now + ttlMs });
  }

  /** The TTL, or "expired" when there is no such lease. */
  renew(id: LeaseId, now: number): number | "expired" {
    const lease = this.#leases.get(id);
    if (!lease) return "expired";
    lease.deadline = now + lease.ttlMs;
    return lease.ttlMs;
  }

  end(id: LeaseId): void {
    this.#leases.delete(id);
  }

  isDue(id: LeaseId, now: number): boolean {
    const lease = this.#leases.get(id);
    return lease !== undefined && lease.deadline <= now;
  }

  due(now: number): LeaseId[] {
    return [...this.#leases.keys()].filter((id) => this.isDue(id, now));
  }

  /**
   * This process stood still for `stallMs` (a full disk, SIGSTOP, a swapped-out page): nobody could renew meanwhile, so
   * leases that lost more than half their TTL by it get that time back.
   */
  postpone(stallMs: number): void {
    for (const lease of this.#leases.values()) {
      if (stallMs > lease.ttlMs / 2) lease.deadline += stallMs;
    }
  }
}
