import { ZooKeeperError } from "./zooKeeperError.ts";

/**
 * Cuts a stream of bytes into frames (an int32 length, then as many bytes). Memory follows what has come, never what a length
 * promises; a length above the limit is refused.
 *
 * @example
 * const splitter = new FrameSplitter(16 << 20);
 * for (const frame of splitter.push(bytes)) handle(frame);
 */
export class FrameSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #held = 0;
  /** Bytes needed before anything can be cut: the head, or the head and the body. */
  #need = 4;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The frames that are complete now, without their length. @throws {ZooKeeperError} BADFRAME; nothing after it makes sense */
  push(bytes: Uint8Array): Uint8Array[] {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    if (this.#held < this.#need) return [];
    const all = this.#parts.length === 1 ? bytes : join(this.#parts, this.#held);
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    const frames: Uint8Array[] = [];
    let at = 0;
    this.#need = 4;
    while (all.length - at >= 4) {
      const length = view.getInt32(at);
      if (length < 0 || length > this.#limit) {
        throw new ZooKeeperError("BADFRAME", `a frame of ${length} bytes; at most ${this.#limit} are taken`);
      }
      if (all.length - at - 4 < length) {
        this.#need = length + 4;
        break;
      }
      frames.push(all.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#held = all.length - at;
    this.#parts = this.#held === 0 ? [] : [all.subarray(at)];
    return frames;
  }
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
