import type { QuestionContext } from "./zone.ts";

/** Orders of one answer that are kept: what is dealt out to its askers. */
const orders = 8;
/** After so many questions one of the orders is made anew, so that no order is dealt out for ever. */
const dealt = 256;
/** What an entry and a reply cost besides their bytes, about. */
const overhead = 200;
/** The longest name, its type and class, an EDNS record, and the header. */
const longestQuestion = 302;
/** A question begins with its id: all that follows says what is asked. */
const idBytes = 2;

interface Entry {
  question: Uint8Array;
  replies: Uint8Array[];
  fresh: (context: QuestionContext) => boolean;
  asked: number;
  orders: number;
}

/**
 * Encoded replies by the bytes of their questions, the ids left out. A reply is given as long as its answer is fresh, and each is
 * kept in several orders, so that clients which take the first address still spread. When the bytes reach `limit`, all are
 * dropped: what is asked for comes back by itself. Of two questions with the same hash the later is kept.
 */
export class AnswerCache {
  readonly #entries = new Map<number, Entry>();
  readonly #limit: number;
  /** So that nobody outside can choose which questions meet. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32) | 0;
  #bytes = 0;

  /** @param limit in bytes; 0 keeps nothing */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The kept reply to the question in `bytes` from `start` to `end`, itself: copy it before the id is set. Undefined: the answer
   * has to be made (and may be `put`).
   */
  get(bytes: Uint8Array, start: number, end: number, context: QuestionContext): Uint8Array | undefined {
    if (end - start > longestQuestion) return undefined;
    const entry = this.#entries.get(this.#hash(bytes, start, end));
    if (!entry || !isSame(entry.question, bytes, start, end)) return undefined;
    if (!entry.fresh(context)) {
      this.#remove(entry);
      return undefined;
    }
    if (entry.orders === 1) return entry.replies[0];
    const reply = entry.asked % dealt === dealt - 1 ? undefined : entry.replies[entry.asked % orders];
    if (reply) entry.asked++;
    return reply;
  }

  /** Keeps `reply` as one of its question's orders; the only one where `varies` is false. */
  put(question: Uint8Array, reply: Uint8Array, fresh: (context: QuestionContext) => boolean, varies: boolean): void {
    if (this.#limit === 0 || question.length > longestQuestion) return;
    const hash = this.#hash(question, 0, question.length);
    let entry = this.#entries.get(hash);
    if (entry && !isSame(entry.question, question, 0, question.length)) {
      this.#remove(entry);
      entry = undefined;
    }
    if (!entry) {
      entry = { question: question.slice(), replies: [], fresh, asked: 0, orders: varies ? orders : 1 };
      this.#entries.set(hash, entry);
      this.#bytes += sizeOf(question);
    }
    entry.fresh = fresh;
    const { length } = entry.replies;
    const at = length < entry.orders ? length : Math.floor(entry.asked / dealt) % entry.orders;
    this.#bytes += sizeOf(reply) - sizeOf(entry.replies[at]);
    entry.replies[at] = reply;
    entry.asked++;
    if (this.#bytes > this.#limit) this.clear();
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #remove(entry: Entry): void {
    this.#entries.delete(this.#hash(entry.question, 0, entry.question.length));
    this.#bytes -= sizeOf(entry.question);
    for (const reply of entry.replies) this.#bytes -= sizeOf(reply);
  }

  /** FNV-1a. */
  #hash(bytes: Uint8Array, start: number, end: number): number {
    let hash = this.#seed;
    for (let i = start + idBytes; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    return hash;
  }
}

function isSame(question: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (question.length !== end - start) return false;
  for (let i = idBytes; i < question.length; i++) if (question[i] !== bytes[start + i]) return false;
  return true;
}

function sizeOf(bytes: Uint8Array | undefined): number {
  return bytes ? bytes.length + overhead : 0;
}
