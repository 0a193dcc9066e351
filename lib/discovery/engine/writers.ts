/** Who wrote a registration: one object for all that came from one daemon under one lease. */
export interface Writer {
  lease: string | undefined;
  daemon: string;
}

/** One object for equal writers: thousands of instances have few. Bounded; what is forgotten is merely no longer shared with newcomers. */
export class Writers {
  readonly #known = new Map<string, Writer>();
  readonly #limit: number;
  /** Mostly the one that is asked for. */
  #last: Writer = { lease: undefined, daemon: "" };

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  of(lease: string | undefined, daemon: string): Writer {
    if (this.#last.lease === lease && this.#last.daemon === daemon) return this.#last;
    const key = `${lease ?? ""}\0${daemon}`;
    let writer = this.#known.get(key);
    if (!writer) {
      if (this.#known.size >= this.#limit) this.#known.clear();
      writer = { lease, daemon };
      this.#known.set(key, writer);
    }
    this.#last = writer;
    return writer;
  }
}
