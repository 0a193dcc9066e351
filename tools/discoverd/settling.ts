/** Instances and watchers that came or went: below it the runtime's own collections do. */
const much = 1000;
/** Share of one processor below which it is a quiet time. */
const quietShare = 0.1;
/** From here on it is work that will be over, however quiet it was before. */
const busyShare = 0.2;
/** Pages of the executable that came back: handed back from so many bytes on. */
const muchOfFile = 4 << 20;
/** So long they stay when they come back soon (until the next look), and twice as long each time that they do, up to the most. */
const restMs = 1500;
const mostRestMs = 15 * 60_000;

/** What is seen of the process at one moment. */
export interface Look {
  /** On any clock that only goes forth, in ms. */
  at: number;
  /** Instances and watchers. */
  count: number;
  /** Of one processor, since the look before. */
  cpuShare: number;
  /** Resident of files, above all of the executable. */
  fileBytes: number;
}

/**
 * When to hand memory back, decided from looks at the process every few seconds. "all": a load of instances or watchers came or
 * went, and it is over. "code": it is quiet, and the executable's pages came back by work that is over. A light load that never
 * ends needs them all the time, so they are left to it for longer and longer.
 *
 * @example
 * const settling = new Settling(0);
 * if (settling.look({ at: 2000, count: 0, cpuShare: 0.01, fileBytes: 30 << 20 })) settling.released(12 << 20);
 */
export class Settling {
  #settled: number;
  #last: number;
  #least = Number.POSITIVE_INFINITY; // until the start's own pages are handed back (lib/cli)
  #restMs = restMs;
  #releasedAt = Number.NEGATIVE_INFINITY;

  constructor(count: number) {
    this.#settled = count;
    this.#last = count;
  }

  look({ at, count, cpuShare, fileBytes }: Look): "all" | "code" | undefined {
    const isSettled = count === this.#last && Math.abs(count - this.#settled) >= much;
    this.#last = count;
    this.#least = Math.min(this.#least, fileBytes);
    if (isSettled) {
      this.#settled = count;
      this.#releasedAt = Number.NEGATIVE_INFINITY; // what comes back now is of that work
      return "all";
    }
    const isQuiet = cpuShare < quietShare;
    if (cpuShare >= busyShare) this.#restMs = restMs;
    const away = at - this.#releasedAt;
    if (!isQuiet || fileBytes - this.#least <= muchOfFile || away < this.#restMs) return undefined;
    // Of what came back late nothing is known yet.
    this.#restMs = away < 2 * this.#restMs ? Math.min(2 * this.#restMs, mostRestMs) : restMs;
    this.#releasedAt = at;
    return "code";
  }

  /** They were handed back: so much of files is resident now. */
  released(fileBytes: number): void {
    this.#least = fileBytes;
  }
}
