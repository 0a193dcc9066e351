import { type Ffi, ffi } from "../runtime/ffi.ts";
import { messageType, type NetlinkMessage, readAttributes, readMessages, readString } from "./messageReader.ts";
import { MessageWriter } from "./messageWriter.ts";
import { NetlinkError } from "./netlinkError.ts";

/** nlmsghdr flags (linux/netlink.h). */
export const messageFlag = { request: 1, ack: 4, dump: 0x300, create: 0x400, append: 0x800 } as const;

/** Writes one message; the socket gives flags and sequence. */
export interface NetlinkRequest {
  type: number;
  /** Beyond `request`, which is always set. */
  flags?: number;
  family: number;
  /** What the message does, for errors: "add map routes". */
  what: string;
  body?: (writer: MessageWriter) => void;
}

/**
 * A NETLINK_NETFILTER socket. All calls are synchronous: the kernel does the work inside the send, the answers are there
 * when it returns, and the receive has a time limit of one second in case they are not.
 */
export interface NetlinkSocket {
  /** Sends and collects every answer of a dump. @throws {NetlinkError} */
  dump(request: NetlinkRequest): NetlinkMessage[];
  /** Sends one request and returns its answers (none but the acknowledgement for a command). @throws {NetlinkError} */
  ask(request: NetlinkRequest): NetlinkMessage[];
  /** All or nothing, in one transaction of the subsystem (10 is nftables). @throws {NetlinkError} naming the first that failed. */
  batch(requests: readonly NetlinkRequest[], subsystem?: number): void;
  close(): void;
}

const afNetlink = 16;
const netlinkNetfilter = 12;
const sockRawCloexec = 3 | 0x80000;
const solSocket = 1;
const solNetlink = 270;
const option = { rcvTimeo: 20, sndBufForce: 32, rcvBufForce: 33, capAck: 10, extAck: 11 } as const;
const interrupted = 4;
const again = 11;
const noBuffers = 105;
/** An acknowledgement with extended error attributes (NLM_F_ACK_TLVS), and one without the request's copy (NLM_F_CAPPED). */
const flagTlvs = 0x200;
const flagCapped = 0x100;
const batchBegin = 16;
const batchEnd = 17;
const nftablesSubsystem = 10;
const receiveBytes = 256 * 1024;
/** No dump of ours has more datagrams: 10 million conntrack entries. */
const maxDatagrams = 100_000;

type Libc = ReturnType<typeof openLibc>;

function openLibc(library: Ffi) {
  return library.open("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
  });
}

/**
 * Opens a socket in this thread's network namespace.
 *
 * `port` is the netlink port id to bind, default one that the kernel gives. A port id is unique in its network
 * namespace and is freed when its process ends, so that a fixed one is a lock without a file.
 *
 * @throws {NetlinkError} `EADDRINUSE` when another process holds `port`; `EPROTONOSUPPORT` without netfilter.
 * @throws {UnsupportedError} on runtimes without FFI.
 *
 * @example
 * const socket = await openNetlink();
 * socket.batch([addTable("mine")]);
 * socket.close();
 */
export async function openNetlink(options: { port?: number } = {}): Promise<NetlinkSocket> {
  const libc = openLibc(await ffi());
  const fd = libc.socket(afNetlink, sockRawCloexec, netlinkNetfilter);
  if (fd < 0) throw new NetlinkError("opening a netfilter netlink socket", libc.errno());
  const address = new Uint8Array(12);
  const view = new DataView(address.buffer);
  view.setUint16(0, afNetlink, true);
  view.setUint32(4, options.port ?? 0, true);
  if (libc.bind(fd, address, 12) < 0) {
    const errno = libc.errno();
    libc.close(fd);
    throw new NetlinkError("binding a netfilter netlink socket", errno);
  }
  // struct timeval { 1 s, 0 }
  libc.setsockopt(fd, solSocket, option.rcvTimeo, new Int32Array([1, 0, 0, 0]), 16);
  libc.setsockopt(fd, solSocket, option.rcvBufForce, new Int32Array([8 << 20]), 4);
  for (const name of ["capAck", "extAck"] as const)
    libc.setsockopt(fd, solNetlink, option[name], new Int32Array([1]), 4);
  return new Socket(libc, fd);
}

class Socket implements NetlinkSocket {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #received = new Uint8Array(receiveBytes);
  #sequence = 0;
  #sendBuffer = 0;
  #closed = false;

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  dump(request: NetlinkRequest): NetlinkMessage[] {
    return this.#exchange(request, messageFlag.dump, messageType.done);
  }

  ask(request: NetlinkRequest): NetlinkMessage[] {
    return this.#exchange(request, messageFlag.ack, messageType.error);
  }

  batch(requests: readonly NetlinkRequest[], subsystem: number = nftablesSubsystem): void {
    if (requests.length === 0) return;
    const writer = new MessageWriter(64 * 1024);
    const first = this.#next();
    const envelope = { flags: messageFlag.request, family: 0, resource: subsystem };
    writer.message({ ...envelope, type: batchBegin, sequence: first });
    for (const [index, request] of requests.entries()) {
      // Errors come for every message; an acknowledgement of the last one says that all were looked at.
      const ack = index === requests.length - 1 ? messageFlag.ack : 0;
      this.#write(writer, request, ack, this.#next());
    }
    const last = this.#sequence;
    writer.message({ ...envelope, type: batchEnd, sequence: this.#next() });
    this.#send(writer.bytes(), "an nftables batch");
    let failure: NetlinkError | undefined;
    this.#receive((message) => {
      if (message.type !== messageType.error || message.sequence < first) return false;
      const what = requests[message.sequence - first - 1]?.what ?? "committing the batch";
      failure ??= errorOf(message, what);
      return message.sequence === last || message.sequence === first;
    }, "an nftables batch");
    if (failure) throw failure;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#libc.close(this.#fd);
  }

  #exchange(request: NetlinkRequest, flags: number, lastType: number): NetlinkMessage[] {
    const writer = new MessageWriter();
    const sequence = this.#next();
    this.#write(writer, request, flags, sequence);
    this.#send(writer.bytes(), request.what);
    const answers: NetlinkMessage[] = [];
    let failure: NetlinkError | undefined;
    this.#receive((message) => {
      if (message.sequence !== sequence) return false;
      if (message.type === messageType.error) failure = errorOf(message, request.what);
      else if (message.type >= batchBegin) answers.push({ ...message, body: message.body.slice() });
      return message.type === messageType.error || message.type === lastType;
    }, request.what);
    if (failure) throw failure;
    return answers;
  }

  #write(writer: MessageWriter, request: NetlinkRequest, flags: number, sequence: number): void {
    writer.message(
      {
        type: request.type,
        flags: messageFlag.request | flags | (request.flags ?? 0),
        sequence,
        family: request.family,
      },
      () => request.body?.(writer),
    );
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) % 0x7fffffff;
    return this.#sequence;
  }

  #send(bytes: Uint8Array, what: string): void {
    if (this.#closed) throw new NetlinkError(what, 9, "the socket is closed");
    // A message must fit the send buffer whole.
    if (bytes.length * 2 > this.#sendBuffer) {
      this.#sendBuffer = Math.max(1 << 20, bytes.length * 2);
      this.#libc.setsockopt(this.#fd, solSocket, option.sndBufForce, new Int32Array([this.#sendBuffer]), 4);
    }
    for (let attempt = 0; attempt < 10; attempt++) {
      if (this.#libc.send(this.#fd, bytes, bytes.length, 0) >= 0) return;
      const errno = this.#libc.errno();
      if (errno !== interrupted) throw new NetlinkError(`sending ${what}`, errno);
    }
    throw new NetlinkError(`sending ${what}`, interrupted);
  }

  /** Gives messages to `take` until it returns true. */
  #receive(take: (message: NetlinkMessage) => boolean, what: string): void {
    let done = false;
    for (let datagrams = 0; !done && datagrams < maxDatagrams; datagrams++) {
      const received = this.#libc.recv(this.#fd, this.#received, this.#received.length, 0);
      if (received < 0) {
        const errno = this.#libc.errno();
        if (errno === interrupted) continue;
        const detail = errno === again ? "no answer within 1 s" : errno === noBuffers ? "too many answers" : "";
        throw new NetlinkError(`waiting for the answer to ${what}`, errno, detail);
      }
      // Take the whole datagram, so that nothing of this request is left for the next one.
      for (const message of readMessages(this.#received.subarray(0, received))) done = take(message) || done;
    }
  }
}

/** The error in an NLMSG_ERROR, undefined when it is an acknowledgement; with the kernel's own words where it gave some. */
function errorOf(message: NetlinkMessage, what: string): NetlinkError | undefined {
  if (message.body.length < 4) return undefined;
  const view = new DataView(message.body.buffer, message.body.byteOffset, message.body.length);
  const errno = -view.getInt32(0, true);
  if (errno === 0) return undefined;
  let detail = "";
  if (message.flags & flagTlvs && message.body.length >= 20) {
    const copied = message.flags & flagCapped ? 16 : view.getUint32(4, true);
    detail = readString(readAttributes(message.body.subarray(4 + ((copied + 3) & ~3))).get(1));
  }
  return new NetlinkError(what, errno, detail);
}
