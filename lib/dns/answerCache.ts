import type { QuestionContext } from "./zone.ts";

/** Orders of one answer that are kept: what is dealt out to its askers. */
const orders = 8;
/** After so many questions one of the orders is made anew, so that no order is dealt out for ever. */
const dealt = 64;
/** What an entry and a reply cost besides their bytes, about. */
const overhead = 200;

interface Entry {
  replies: Uint8Array[];
  fresh: (context: QuestionContext) => boolean;
  asked: number;
  orders: number;
}

/**
 * Encoded replies by the bytes of their questions. A reply is given as long as its answer is fresh, and each is kept in
 * several orders, so that clients which take the first address still spread. When the bytes reach `limit`, all are dropped:
 * what is asked for comes back by itself.
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  readonly #limit: number;
  #bytes = 0;

  /** @param limit in bytes; 0 keeps nothing */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The kept reply itself: copy it before the id is set. Undefined: the answer has to be made (and may be `put`). */
  get(key: string, context: QuestionContext): Uint8Array | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (!entry.fresh(context)) {
      this.#remove(key, entry);
      return undefined;
    }
    if (entry.orders === 1) return entry.replies[0];
    const n = entry.asked++;
    if (n % dealt === dealt - 1) return undefined;
    return entry.replies[n % orders];
  }

  /** Keeps `reply` as one of its question's orders; the only one where `varies` is false. */
  put(key: string, reply: Uint8Array, fresh: (context: QuestionContext) => boolean, varies: boolean): void {
    if (this.#limit === 0) return;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { replies: [], fresh, asked: 0, orders: varies ? orders : 1 };
      this.#entries.set(key, entry);
      this.#bytes += 2 * key.length + overhead;
    }
    entry.fresh = fresh;
    const { length } = entry.replies;
    const at = length < entry.orders ? length : Math.floor(entry.asked / dealt) % entry.orders;
    this.#bytes += sizeOf(reply) - sizeOf(entry.replies[at]);
    entry.replies[at] = reply;
    if (entry.replies.length < entry.orders) entry.asked = entry.replies.length;
    if (this.#bytes > this.#limit) this.clear();
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= 2 * key.length + overhead;
    for (const reply of entry.replies) this.#bytes -= sizeOf(reply);
  }
}

function sizeOf(reply: Uint8Array | undefined): number {
  return reply ? reply.length + overhead : 0;
}
