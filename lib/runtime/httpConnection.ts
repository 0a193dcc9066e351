import { HTTPParser } from "http-parser-js";
import type { TcpSocket } from "./tcp.ts";

/** A connection that carries one request after another, each with its answer (RFC 9112). */
export interface HttpConnection {
  /**
   * Resolves when the head of the answer is there; its body may still come, and is read no faster than it is taken.
   *
   * `isUnanswered` of a connection that fails tells that not one byte of the answer came.
   * @throws {HttpConnectionError}, or the signal's reason, which later ends the body too
   */
  exchange(request: HttpRequest): Promise<Response>;
  /** The socket is closed; nothing can be sent any more. */
  readonly closed: boolean;
  close(): void;
}

export interface HttpRequest {
  method: string;
  /** Head and body. */
  bytes: Uint8Array;
  signal: AbortSignal | undefined;
}

export class HttpConnectionError extends Error {
  override readonly name = "HttpConnectionError";
  /** ECONNRESET: it was closed too early. HPE_...: what came is no HTTP. */
  readonly code: string;
  /** Nothing of an answer had come. */
  readonly isUnanswered: boolean;
  constructor(code: string, message: string, isUnanswered: boolean, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.isUnanswered = isUnanswered;
  }
}

/** What a stream of the body holds before the socket is no longer read, in bytes. */
const highWaterMark = 64 << 10;

/** Of a head, or of the line before a chunk. */
const maxSilentBytes = 128 << 10;
/** An answer with one of these has no body. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

// The parser's own limit takes a large answer that comes at once for a head.
HTTPParser.maxHeaderSize = Number.POSITIVE_INFINITY;

/** An answer under way. */
interface Answer {
  request: HttpRequest;
  resolve(response: Response): void;
  reject(error: unknown): void;
  /** Of the answer. */
  hasBytes: boolean;
  head: { status: number; headers: Headers; keeps: boolean } | undefined;
  /** Come, and not yet handed on. */
  waiting: Uint8Array[];
  /** Since the answer was handed on before its end. */
  body: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** The last byte was read. */
  isWhole: boolean;
}

/** Takes over a socket, connected and paused. `idle`: it can take a request again. */
export function createHttpConnection(socket: TcpSocket, idle: () => void): HttpConnection {
  const parser = new HTTPParser(HTTPParser.RESPONSE);
  let answer: Answer | undefined;
  let closed = false;
  /** Since the parser last had something to tell. */
  let silentBytes = 0;

  parser[HTTPParser.kOnHeadersComplete] = (info) => {
    const { statusCode: status, shouldKeepAlive: keeps } = info;
    silentBytes = 0;
    if (!answer || answer.isWhole) throw unexpected("an answer that nobody asked for");
    if (status < 100 || status === 101 || status > 599) throw unexpected(`status ${status}`);
    if (status < 200) return;
    answer.head = { status, headers: headersOf(info.headers), keeps };
    return answer.request.method === "HEAD" ? 1 : undefined;
  };
  parser[HTTPParser.kOnBody] = (chunk, offset, length) => {
    silentBytes = 0;
    answer?.waiting.push(chunk.subarray(offset, offset + length));
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (answer?.head) answer.isWhole = true;
  };

  function take(bytes: Uint8Array): void {
    if (!answer) {
      close();
      return;
    }
    answer.hasBytes = true;
    silentBytes += bytes.byteLength;
    const failure = parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (failure) lose(failure);
    else hand();
  }

  function parse(bytes: Buffer): HttpConnectionError | undefined {
    let failure: unknown;
    try {
      failure = parser.execute(bytes);
      if (silentBytes > maxSilentBytes) failure = unexpected("a head without an end");
    } catch (error) {
      failure = error;
    }
    if (!(failure instanceof Error)) return undefined;
    const { code = "HPE_INVALID", message } = failure as NodeJS.ErrnoException;
    return new HttpConnectionError(code, `what answers does not speak HTTP: ${message}`, false, { cause: failure });
  }

  /** Hands on what has come. */
  function hand(): void {
    if (!answer?.head) return;
    const { head, waiting, isWhole, body, request } = answer;
    const isBodiless = request.method === "HEAD" || bodiless.has(head.status);
    answer.waiting = [];
    if (body) {
      for (const chunk of waiting) body.enqueue(chunk);
      if (isWhole) body.close();
      else if ((body.desiredSize ?? 0) <= 0) socket.pause();
    } else if (isWhole) {
      answer.resolve(new Response(isBodiless ? null : joined(waiting), head));
    } else if (!isBodiless) {
      answer.waiting = waiting;
      answer.resolve(new Response(bodyOf(answer), head));
      hand();
      return;
    }
    if (isWhole) finish(head.keeps);
  }

  function bodyOf(mine: Answer): ReadableStream<Uint8Array> {
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start(controller) {
        mine.body = controller;
      },
      pull() {
        if (mine === answer) socket.resume();
      },
      cancel() {
        if (mine === answer) lose(new HttpConnectionError("ECONNRESET", "no longer read", false));
      },
    };
    return new ReadableStream(source, { highWaterMark, size: (chunk) => chunk?.byteLength ?? 0 });
  }

  function finish(keeps: boolean): void {
    answer?.request.signal?.removeEventListener("abort", onAbort);
    answer = undefined;
    if (!keeps || closed) {
      close();
      return;
    }
    socket.resume();
    socket.hold(false);
    idle();
  }

  function lose(error: unknown): void {
    const lost = answer;
    answer = undefined;
    close();
    if (!lost) return;
    lost.request.signal?.removeEventListener("abort", onAbort);
    lost.reject(error);
    try {
      lost.body?.error(error);
    } catch {} // cancelled by its reader
  }

  function close(): void {
    if (closed) return;
    closed = true;
    socket.destroy();
  }

  function onAbort(): void {
    lose(answer?.request.signal?.reason);
  }

  /** The peer says no more. */
  function ended(cause?: Error): void {
    // A body without a length ends here.
    if (answer?.head && !cause && !(parser.finish() instanceof Error) && answer.isWhole) {
      closed = true;
      hand();
      socket.destroy();
      return;
    }
    const isUnanswered = answer !== undefined && !answer.hasBytes;
    const message = "the connection was closed unexpectedly";
    lose(new HttpConnectionError("ECONNRESET", message, isUnanswered, cause ? { cause } : {}));
  }

  socket.handlers = { data: take, end: () => ended(), close: ended };
  socket.resume();

  return {
    get closed() {
      return closed;
    },
    close,
    exchange(request) {
      return new Promise((resolve, reject) => {
        if (closed || answer) throw new Error("not idle");
        if (request.signal?.aborted) {
          close();
          throw request.signal.reason;
        }
        const hasBytes = false;
        answer = { request, resolve, reject, hasBytes, head: undefined, waiting: [], body: undefined, isWhole: false };
        request.signal?.addEventListener("abort", onAbort, { once: true });
        socket.hold(true);
        socket.write(request.bytes);
      });
    },
  };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [first] = chunks;
  return (chunks.length === 1 && first ? first : Buffer.concat(chunks)) as Uint8Array<ArrayBuffer>;
}

function headersOf(pairs: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const [name = "", value = ""] = [pairs[i], pairs[i + 1]];
    // The parser would count with what is no number.
    if (name.toLowerCase() === "content-length" && !/^\d{1,15}$/.test(value)) throw unexpected("no length");
    headers.append(name, value);
  }
  return headers;
}

function unexpected(what: string): Error {
  return Object.assign(new Error(`it sent ${what}`), { code: "HPE_UNEXPECTED" });
}
