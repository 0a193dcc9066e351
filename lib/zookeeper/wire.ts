import { ZooKeeperError } from "./zooKeeperError.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes ZooKeeper's encoding (jute): big-endian numbers, and strings and buffers with an int32 length before them. */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(size = 256) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  int(value: number): this {
    this.#room(4);
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
    return this;
  }

  /** A safe integer as int64. */
  long(value: number): this {
    this.#room(8);
    this.#view.setBigInt64(this.#at, BigInt(value));
    this.#at += 8;
    return this;
  }

  /** 16 hexadecimal digits as int64: session ids use all 64 bits. */
  hex64(value: string): this {
    this.#room(8);
    this.#view.setBigUint64(this.#at, BigInt(`0x${value}`));
    this.#at += 8;
    return this;
  }

  bool(value: boolean): this {
    this.#room(1);
    this.#bytes[this.#at++] = value ? 1 : 0;
    return this;
  }

  buffer(value: Uint8Array): this {
    this.int(value.byteLength);
    this.#room(value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
    return this;
  }

  string(value: string): this {
    return this.buffer(encoder.encode(value));
  }

  vector<T>(items: readonly T[], write: (item: T) => void): this {
    this.int(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** What was written so far, with its length before it: one frame. */
  frame(): Uint8Array {
    const frame = new Uint8Array(this.#at + 4);
    new DataView(frame.buffer).setInt32(0, this.#at);
    frame.set(this.#bytes.subarray(0, this.#at), 4);
    return frame;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what {@link Writer} wrote, from bytes that nobody vouches for. @throws {ZooKeeperError} BADFRAME */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int(): number {
    return this.#view.getInt32(this.#take(4));
  }

  /** An int64 that is a safe integer: zxids and times are, for 2^21 elections and 285,000 years. */
  long(): number {
    const at = this.#take(8);
    const value = this.#view.getInt32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
    if (!Number.isSafeInteger(value)) throw bad(`a number of ${value}`);
    return value;
  }

  hex64(): string {
    return this.#view.getBigUint64(this.#take(8)).toString(16).padStart(16, "0");
  }

  bool(): boolean {
    return this.#bytes[this.#take(1)] !== 0;
  }

  /** A copy; null (length -1) reads as empty. */
  buffer(): Uint8Array {
    const length = this.int();
    if (length === -1) return new Uint8Array(0);
    const at = this.#take(length);
    return this.#bytes.slice(at, at + length);
  }

  string(): string {
    const length = this.int();
    if (length === -1) return "";
    const at = this.#take(length);
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** `least` is the fewest bytes that an item takes, so that a count cannot promise more than the frame holds. */
  vector<T>(least: number, read: () => T): T[] {
    const count = this.int();
    if (count === -1) return [];
    if (count < 0 || count * least > this.left) throw bad(`a list of ${count}`);
    return Array.from({ length: count }, read);
  }

  #take(length: number): number {
    const at = this.#at;
    if (length < 0 || length > this.#bytes.length - at) throw bad(`${length} bytes where ${this.left} are left`);
    this.#at = at + length;
    return at;
  }
}

const bad = (what: string) => new ZooKeeperError("BADFRAME", `not an answer of ZooKeeper: ${what}`);
