import { readdirSync } from "node:fs";
import { type Ffi, ffi } from "./ffi.ts";

/** A datagram that was taken with others, and the room for its reply. The object is the same for all of them: keep nothing of it. */
export interface BatchSlot {
  /** Has the datagram from `start` to `end`. */
  readonly received: Uint8Array;
  start: number;
  end: number;
  /** The sender's. */
  address: string;
  /** Has room for 1,232 bytes from `at` on. */
  readonly replies: Uint8Array;
  at: number;
}

/** Writes the reply, where it is at hand, and returns how many bytes it has. 0: it is not; the datagram is received as any other. */
export type BatchAnswer = (slot: BatchSlot) => number;

/** What is never fragmented (DNS flag day 2020). */
const replyBytes = 1232;
/** Datagrams in one call of the kernel. */
const width = 64;
/** Longer datagrams are received cut. */
const slotBytes = 2048;
/** Senders whose addresses are kept as text. */
const maxSenders = 1024;

const nameBytes = 16;
/** struct mmsghdr, struct iovec (recvmmsg(2)), on 64-bit Linux, in 32-bit words. */
const header = { words: 16, name: 0, nameLength: 2, iov: 4, iovCount: 6, length: 14 } as const;
const iovWords = 4;

const dontWait = 0x40;
const again = 11;
const solSocket = 1;
const socketType = 3;
const datagram = 2;
const inet = 2;

function openLibc(library: Ffi) {
  return library.open("libc.so.6", {
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    recvmmsg: { args: ["i32", "ptr", "u32", "i32", "ptr"], returns: "i32" },
    sendmmsg: { args: ["i32", "ptr", "u32", "i32"], returns: "i32" },
  });
}

type Libc = ReturnType<typeof openLibc>;

/**
 * The datagrams that wait in the kernel for a UDP socket, taken and answered many in a call (recvmmsg(2), sendmmsg(2)), without an
 * object for each. For sockets on IPv4, on Linux.
 */
export class UdpBatch {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #received = new Uint8Array(width * slotBytes);
  readonly #replies = new Uint8Array(width * replyBytes);
  readonly #names = new Uint8Array(width * nameBytes);
  readonly #in: Headers;
  readonly #out: Headers;
  readonly #senders = new Map<number, string>();
  readonly #slot: BatchSlot = {
    received: this.#received,
    start: 0,
    end: 0,
    address: "",
    replies: this.#replies,
    at: 0,
  };
  #closed = false;

  /** @param fd stays its owner's: `close` before it is closed */
  constructor(library: Ffi, libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
    this.#in = new Headers(library, this.#names, this.#received, slotBytes);
    this.#out = new Headers(library, this.#names, this.#replies, replyBytes);
  }

  /** Until nothing waits, or `limit` or a few more were taken: returns how many. What `answer` does not answer goes to `receive`. */
  drain(
    answer: BatchAnswer,
    receive: (bytes: Uint8Array, port: number, address: string) => void,
    limit: number,
  ): number {
    const slot = this.#slot;
    let taken = 0;
    while (taken < limit && !this.#closed) {
      const count = this.#libc.recvmmsg(this.#fd, this.#in.address, width, dontWait, null);
      if (count <= 0) break;
      taken += count;
      let unsent = 0;
      for (let i = 0; i < count; i++) {
        slot.start = i * slotBytes;
        slot.end = slot.start + this.#in.receivedBytes(i);
        slot.address = this.#address(i);
        slot.at = i * replyBytes;
        const size = answer(slot);
        if (size > 0) {
          this.#out.setBytes(i, size);
          continue;
        }
        this.#send(unsent, i);
        unsent = i + 1;
        receive(this.#received.slice(slot.start, slot.end), this.#port(i), slot.address);
      }
      this.#send(unsent, count);
    }
    return taken;
  }

  close(): void {
    this.#closed = true;
  }

  /** The replies of `first` to `end` - 1. */
  #send(first: number, end: number): void {
    let next = first;
    while (next < end && !this.#closed) {
      const sent = this.#libc.sendmmsg(this.#fd, this.#out.addressOf(next), end - next, dontWait);
      // A full buffer drops the others, as UDP may; any other refusal is the first one's (a forged sender's address).
      if (sent < 0 && this.#libc.errno() === again) return;
      next += Math.max(sent, 1);
    }
  }

  #port(i: number): number {
    return ((this.#names[i * nameBytes + 2] ?? 0) << 8) | (this.#names[i * nameBytes + 3] ?? 0);
  }

  #address(i: number): string {
    const at = i * nameBytes + 4;
    const bytes = this.#names;
    const key =
      ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    if (this.#senders.size >= maxSenders) this.#senders.clear();
    const text = bytes.subarray(at, at + 4).join(".");
    this.#senders.set(key, text);
    return text;
  }
}

/** An array of mmsghdr, each with one slot of `data` and one of `names`: both have to live as long as it does. */
class Headers {
  readonly address: number;
  readonly #headers = new Uint32Array(width * header.words);
  readonly #iovs = new Uint32Array(width * iovWords);

  constructor(library: Ffi, names: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>, slot: number) {
    this.address = library.addressOf(this.#headers.buffer);
    const [name, iov, bytes] = [names.buffer, this.#iovs.buffer, data.buffer].map((at) => library.addressOf(at)) as [
      number,
      number,
      number,
    ];
    for (let i = 0; i < width; i++) {
      const at = i * header.words;
      setPointer(this.#headers, at + header.name, name + i * nameBytes);
      this.#headers[at + header.nameLength] = nameBytes;
      setPointer(this.#headers, at + header.iov, iov + i * iovWords * 4);
      this.#headers[at + header.iovCount] = 1;
      setPointer(this.#iovs, i * iovWords, bytes + i * slot);
      this.setBytes(i, slot);
    }
  }

  addressOf(i: number): number {
    return this.address + i * header.words * 4;
  }

  receivedBytes(i: number): number {
    return this.#headers[i * header.words + header.length] ?? 0;
  }

  setBytes(i: number, bytes: number): void {
    this.#iovs[i * iovWords + 2] = bytes;
  }
}

function setPointer(words: Uint32Array, at: number, pointer: number): void {
  words[at] = pointer >>> 0;
  words[at + 1] = Math.floor(pointer / 2 ** 32);
}

/**
 * For the UDP socket of this process that is bound to an IPv4 address and port. Undefined: there is none, or its kernel cannot be
 * called (no Linux, no /proc, no FFI).
 */
export async function openUdpBatch(address: string, port: number): Promise<UdpBatch | undefined> {
  try {
    const library = await ffi();
    const libc = openLibc(library);
    const fd = readdirSync("/proc/self/fd")
      .map(Number)
      .find((one) => isBoundTo(libc, one, address, port));
    return fd === undefined ? undefined : new UdpBatch(library, libc, fd);
  } catch {
    // As told above: the caller goes on without.
    return undefined;
  }
}

function isBoundTo(libc: Libc, fd: number, address: string, port: number): boolean {
  const name = new Uint8Array(128);
  const size = new Int32Array([name.length, 0]);
  if (libc.getsockname(fd, name, size) !== 0) return false;
  const view = new DataView(name.buffer);
  if (view.getUint16(0, true) !== inet || view.getUint16(2) !== port) return false;
  const type = new Int32Array(2);
  size[0] = 4;
  if (libc.getsockopt(fd, solSocket, socketType, type, size) !== 0 || type[0] !== datagram) return false;
  return name.subarray(4, 8).join(".") === address;
}
