import { type ReplyHeader, xid } from "./messages.ts";
import type { Reader } from "./wire.ts";
import { codeName, ZooKeeperError } from "./zooKeeperError.ts";

interface QueueOptions {
  timeoutMs: number;
  maxRequests: number;
  maxQueuedBytes: number;
  /** Why there is no connection, for those who waited for one in vain. */
  reason(): string;
  /** A request that was sent is overdue: replies come in order, so none will come any more. */
  onSilence(reason: ZooKeeperError): void;
}

interface Request {
  id: number;
  frame: Uint8Array;
  deadline: number;
  /** Settles the caller's promise from the reply's body. @throws {ZooKeeperError} BADFRAME */
  settle(header: ReplyHeader, reader: Reader): void;
  reject(error: ZooKeeperError): void;
}

/** Requests under way at once on one connection: what a server takes from all its clients by default. */
const window = 1000;
const largestWrite = 256 * 1024;

/** Requests in their order: they wait for a connection, go out in as few writes as possible, and are matched with their replies. */
export class RequestQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Set<Request>();
  #sent: Request[] = [];
  #sentFrom = 0;
  #pings: Request[] = [];
  #queuedBytes = 0;
  #send: ((bytes: Uint8Array) => boolean) | undefined;
  #flushing = false;
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws {ZooKeeperError} by the promise only */
  add<T>(
    encode: (id: number) => Uint8Array,
    isPing: boolean,
    read: (reader: Reader, header: ReplyHeader) => T,
  ): Promise<T> {
    const { maxRequests, maxQueuedBytes, timeoutMs } = this.#options;
    if (this.#waiting.size + this.#underWay >= maxRequests || this.#queuedBytes > maxQueuedBytes) {
      return Promise.reject(
        new ZooKeeperError("OVERLOADED", `${this.#waiting.size} requests wait for ZooKeeper already`),
      );
    }
    this.#lastId = (this.#lastId % 0x7fffffff) + 1;
    const id = isPing ? xid.ping : this.#lastId;
    return new Promise<T>((resolve, reject) => {
      const settle = (header: ReplyHeader, reader: Reader) => {
        if (header.err !== 0) {
          const code = codeName(header.err);
          reject(new ZooKeeperError(code, `ZooKeeper answers ${code}`, { zxid: header.zxid }));
          return;
        }
        try {
          resolve(read(reader, header));
        } catch (error) {
          reject(error);
          if (error instanceof ZooKeeperError && error.code === "BADFRAME") throw error;
        }
      };
      const frame = encode(id);
      this.#queuedBytes += frame.length;
      this.#waiting.add({ id, frame, deadline: performance.now() + timeoutMs, settle, reject });
      this.#arm();
    });
  }

  /** A connection: what waits goes out. */
  attach(send: (bytes: Uint8Array) => boolean): void {
    this.#send = send;
    this.flush();
  }

  /** The connection is gone: what was sent fails, its outcome unknown; the rest waits on. */
  detach(reason: ZooKeeperError): void {
    this.#send = undefined;
    const lost = [...this.#sent.slice(this.#sentFrom), ...this.#pings];
    this.#sent = [];
    this.#sentFrom = 0;
    this.#pings = [];
    for (const request of lost) request.reject(reason);
  }

  rejectWaiting(reason: ZooKeeperError): void {
    for (const request of this.#waiting) this.#drop(request).reject(reason);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @throws {ZooKeeperError} BADFRAME for a reply out of order */
  reply(header: ReplyHeader, reader: Reader): void {
    const request = header.xid === xid.ping ? this.#pings.shift() : this.#sent[this.#sentFrom];
    if (!request) {
      if (header.xid === xid.ping) return; // of a ping that was given up
      throw new ZooKeeperError("BADFRAME", `a reply to ${header.xid} that nobody asked for`);
    }
    if (request.id !== header.xid)
      throw new ZooKeeperError("BADFRAME", `a reply to ${header.xid} instead of ${request.id}`);
    if (header.xid !== xid.ping) this.#sentFrom++;
    if (this.#sentFrom >= 512) {
      this.#sent = this.#sent.slice(this.#sentFrom);
      this.#sentFrom = 0;
    }
    request.settle(header, reader);
    if (this.#waiting.size > 0) this.flush();
  }

  /** Sends what it may, at the end of this turn, so that requests made together go out together. */
  flush(): void {
    if (this.#flushing || !this.#send) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flushNow();
    });
  }

  #flushNow(): void {
    for (let writable = true; writable && this.#send && this.#waiting.size > 0 && this.#underWay < window; ) {
      const frames: Uint8Array[] = [];
      let bytes = 0;
      const atLeastUntil = performance.now() + this.#options.timeoutMs / 2; // a long wait must not make the server look silent
      for (const request of this.#waiting) {
        if (bytes > largestWrite || this.#underWay >= window) break;
        this.#drop(request);
        request.deadline = Math.max(request.deadline, atLeastUntil);
        frames.push(request.frame);
        bytes += request.frame.length;
        request.frame = nothing;
        (request.id === xid.ping ? this.#pings : this.#sent).push(request);
      }
      writable = this.#send(frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames, bytes));
    }
  }

  get #underWay(): number {
    return this.#sent.length - this.#sentFrom + this.#pings.length;
  }

  #drop(request: Request): Request {
    this.#waiting.delete(request);
    this.#queuedBytes -= request.frame.length;
    return request;
  }

  /** One timer for all: each list is in the order of its deadlines. */
  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#expire(performance.now());
        if (this.#waiting.size + this.#underWay > 0) this.#arm();
      },
      Math.max(20, this.#options.timeoutMs / 20),
    );
  }

  #expire(now: number): void {
    const { timeoutMs, reason, onSilence } = this.#options;
    for (const request of this.#waiting) {
      if (request.deadline > now) break;
      const why = this.#send ? "too much was before it" : reason();
      this.#drop(request).reject(
        new ZooKeeperError("REQUESTTIMEOUT", `ZooKeeper was not asked within ${timeoutMs} ms: ${why}`),
      );
    }
    for (const oldest of [this.#sent[this.#sentFrom], this.#pings[0]]) {
      if (!oldest || oldest.deadline > now) continue;
      const text = `ZooKeeper did not answer within ${timeoutMs} ms`;
      oldest.reject(new ZooKeeperError("REQUESTTIMEOUT", text, { outcome: "unknown" }));
      onSilence(new ZooKeeperError("CONNECTIONLOSS", text));
      return;
    }
  }
}

const nothing = new Uint8Array(0);
