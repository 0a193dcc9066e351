import type { Instance, RegisterOptions } from "../discovery.ts";

interface HeartbeaterOptions {
  service: string;
  instance: Instance;
  options: RegisterOptions;
  /** One PUT of the instance. */
  beat: () => Promise<void>;
  onFailure: (error: unknown) => void;
}

/** Sends an instance's heartbeats: every 5 s less up to 2 s (or half the TTL less a fifth), every 200-400 ms while failing. */
export class Heartbeater {
  readonly #options: HeartbeaterOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

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
    } catch (error) {
      if (!this.#stopped) this.#options.onFailure(error);
      pause = 200 + Math.random() * 200;
    }
    if (!this.#stopped) this.#later(pause);
  }
}
