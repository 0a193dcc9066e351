const MIN_MATCH = 4;
/** The format's rules for the end of a block: the last 5 bytes are literals, and no match begins in the last 12. */
const LAST_LITERALS = 5;
const LAST_MATCH = 12;
const FARTHEST = 65_535;
const HASH_BITS = 16;
/** Earlier places looked at for each: more finds little that is longer. */
const TRIES = 96;

/**
 * Packs bytes into one block of LZ4 (github.com/lz4/lz4, doc/lz4_Block_format.md), which build/stub/stub.c unpacks. Half the
 * size for a C library; takes half a second for 2 MB. The same bytes always give the same block.
 */
export function lz4Block(bytes: Uint8Array): Buffer {
  const out: number[] = [];
  const chain = new Chain(bytes);
  let literalsFrom = 0;
  for (let at = 0; at <= bytes.length - LAST_MATCH; ) {
    let match = chain.longest(at);
    if (match.length < MIN_MATCH) {
      at += 1;
      continue;
    }
    // A longer one a byte later is worth a literal more.
    for (let next = chain.longest(at + 1); next.length > match.length + 1; next = chain.longest(at + 1)) {
      at += 1;
      match = next;
    }
    sequence(out, bytes.subarray(literalsFrom, at), match);
    at += match.length;
    literalsFrom = at;
  }
  sequence(out, bytes.subarray(literalsFrom));
  return Buffer.from(out);
}

interface Match {
  length: number;
  distance: number;
}

function sequence(out: number[], literals: Uint8Array, match?: Match): void {
  const more = match ? match.length - MIN_MATCH : 0;
  out.push((Math.min(literals.length, 15) << 4) | Math.min(more, 15));
  lengthBytes(out, literals.length);
  for (const byte of literals) out.push(byte);
  if (match === undefined) return;
  out.push(match.distance & 255, match.distance >> 8);
  lengthBytes(out, more);
}

function lengthBytes(out: number[], length: number): void {
  if (length < 15) return;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) out.push(255);
  out.push(rest);
}

/** Earlier places with the same four bytes, the nearest first. */
class Chain {
  readonly #bytes: Uint8Array;
  readonly #newest = new Int32Array(1 << HASH_BITS).fill(-1);
  readonly #before: Int32Array;
  #known = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#before = new Int32Array(bytes.length);
  }

  /** The longest match for the bytes at `at`; of length 0 where there is none. `at` may not go back. */
  longest(at: number): Match {
    const bytes = this.#bytes;
    const best = { length: 0, distance: 0 };
    if (at > bytes.length - LAST_MATCH) return best;
    for (; this.#known < at; this.#known += 1) this.#learn(this.#known);
    const most = bytes.length - LAST_LITERALS - at;
    let other = this.#newest[this.#hash(at)] ?? -1;
    for (let tries = 0; other >= 0 && at - other <= FARTHEST && tries < TRIES; tries += 1) {
      if (bytes[other + best.length] === bytes[at + best.length]) {
        let length = 0;
        while (length < most && bytes[other + length] === bytes[at + length]) length += 1;
        if (length > best.length) {
          best.length = length;
          best.distance = at - other;
          if (length === most) break;
        }
      }
      other = this.#before[other] ?? -1;
    }
    return best;
  }

  #learn(at: number): void {
    const hash = this.#hash(at);
    this.#before[at] = this.#newest[hash] ?? -1;
    this.#newest[hash] = at;
  }

  #hash(at: number): number {
    const bytes = this.#bytes;
    const word =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    return Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
  }
}
