import type { Instance, RegisterOptions } from "../discovery.ts";

interface HeartbeaterOptions {
  service: string;
  instance: Instance;
  options: RegisterOptions;
  /** One PUT of the instance. */
  beat: () => Promise<void>;
  /** Told of the 1st, 2nd, 4th, 8th... failure in a row: enough to see, too few to flood. */
  onFailure: (error: unknown) => void;
}

/** Most of a pause after failures. */
const maxPauseMs = 2000;

/**
 * Sends an instance's heartbeats: every 5 s less up to 2 s (or half the TTL less a fifth), again 200-400 ms after a failure, and with
 * each further one after twice the time, up to 2 s.
 */
export class Heartbeater {
  readonly #options: HeartbeaterOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #failures = 0;

  constructor(options: HeartbeaterOptions) {
    this.#options = options;
    this.#later(this.#interval());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #interval(): number {
    const half = Math.min(5000, (this.#options.options.ttlMs ?? 10_000) / 2);
    return half - Math.random() * half * 0.4;
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => void this.#beat(), ms);
  }

  async #beat(): Promise<void> {
    let pause: number;
    try {
      await this.#options.beat();
      pause = this.#interval();
      this.#failures = 0;
    } catch (error) {
      pause = Math.min(maxPauseMs, (200 + Math.random() * 200) * 2 ** this.#failures++);
      if (!this.#stopped && (this.#failures & (this.#failures - 1)) === 0) this.#options.onFailure(error);
    }
    if (!this.#stopped) this.#later(pause);
  }
}
