import { backoff } from "../../../lib/docker/backoff.ts";

/** Why the last try to write an entry failed, and when the next is due. */
export interface Failure {
  attempts: number;
  /** ms since the epoch. */
  retryAt: number;
  reason: string;
  /** The registry says that the entry itself is wrong: it is tried again, but shown as refused. */
  final: boolean;
}

/** Writes that failed, by the entry's key; each waits by itself, longer each time. */
export class Failures {
  readonly #firstMs: number;
  readonly #capMs: number;
  readonly #byKey = new Map<string, Failure>();

  constructor(firstMs: number, capMs: number) {
    this.#firstMs = firstMs;
    this.#capMs = capMs;
  }

  get size(): number {
    return this.#byKey.size;
  }

  of(key: string): Failure | undefined {
    return this.#byKey.get(key);
  }

  /** It failed, again or for the first time; returns for how long it waits, in ms. */
  add(key: string, error: unknown): number {
    const attempts = this.#byKey.get(key)?.attempts ?? 0;
    const wait = backoff(attempts, { firstMs: this.#firstMs, capMs: this.#capMs });
    const failure = {
      attempts: attempts + 1,
      retryAt: Date.now() + wait,
      reason: reasonOf(error),
      final: isFinal(error),
    };
    this.#byKey.set(key, failure);
    return wait;
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** Forgets those that are no longer to be written. */
  keep(isWanted: (key: string) => boolean): void {
    for (const key of this.#byKey.keys()) if (!isWanted(key)) this.#byKey.delete(key);
  }

  /** The registry is back: none waits out its pause, but what it refused. */
  retryNow(): void {
    for (const failure of this.#byKey.values()) if (!failure.final) failure.retryAt = 0;
  }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const finalCodes = new Set<unknown>(["validation_error", "invalid", "too_large"]);

function isFinal(error: unknown): boolean {
  return error instanceof Error && "code" in error && finalCodes.has(error.code);
}
