import type { FetchInit } from "./fetchVia.ts";
import { type ResponseHead, ResponseParser, ResponseSyntaxError } from "./responseParser.ts";
import type { TcpSocket } from "./tcp.ts";
import { wholeResponse } from "./wholeResponse.ts";

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
  /** As in {@link FetchInit}. */
  sink?: FetchInit["sink"];
  gather?: FetchInit["gather"];
}

export class HttpConnectionError extends Error {
  override readonly name = "HttpConnectionError";
  /** ECONNRESET: it was closed too early. ERR_INVALID_HTTP_RESPONSE: what came is no HTTP. */
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

/** An answer with one of these has no body. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** An answer under way. */
interface Answer {
  request: HttpRequest;
  resolve(response: Response): void;
  reject(error: unknown): void;
  /** Of the answer. */
  hasBytes: boolean;
  head: ResponseHead | undefined;
  /** Come, and not yet handed on. */
  waiting: Uint8Array[];
  /** Since the answer was handed on before its end. */
  body: ReadableStreamDefaultController<Uint8Array> | undefined;
}

/** Takes over a socket, connected and paused. `idle`: it can take a request again. */
export function createHttpConnection(socket: TcpSocket, idle: () => void): HttpConnection {
  let answer: Answer | undefined;
  let closed = false;
  const parser = new ResponseParser({
    head(head) {
      if (answer) answer.head = head;
    },
    body(chunk) {
      answer?.waiting.push(chunk);
    },
  });

  function take(bytes: Uint8Array): void {
    if (!answer) {
      close();
      return;
    }
    answer.hasBytes = true;
    try {
      parser.push(bytes);
    } catch (error) {
      if (!(error instanceof ResponseSyntaxError)) throw error;
      lose(
        new HttpConnectionError(error.code, `what answers does not speak HTTP: ${error.message}`, false, {
          cause: error,
        }),
      );
      return;
    }
    hand();
  }

  /** Hands on what has come. */
  function hand(): void {
    if (!answer?.head) return;
    const { head, body, request } = answer;
    const isWhole = parser.isDone;
    const isBodiless = request.method === "HEAD" || bodiless.has(head.status);
    if (request.sink && head.status < 300 && !isBodiless && !sunk(answer, request.sink)) return;
    const { waiting } = answer;
    answer.waiting = [];
    if (body) {
      for (const chunk of waiting) body.enqueue(chunk);
      if (isWhole) body.close();
      else if ((body.desiredSize ?? 0) <= 0) socket.pause();
    } else if (isWhole) {
      answer.resolve(wholeResponse(isBodiless ? null : joined(waiting), head));
    } else if (!isBodiless) {
      answer.waiting = waiting;
      const told = Number(head.headers.get("content-length") ?? 0);
      if (Math.max(told, sizeOf(waiting)) <= (request.gather ?? -1)) return;
      answer.resolve(new Response(bodyOf(answer), head));
      hand();
      return;
    }
    if (isWhole) finish(head.keeps);
  }

  /** Gives what waits to the sink; false: that ended it all. */
  function sunk(mine: Answer, sink: NonNullable<FetchInit["sink"]>): boolean {
    try {
      for (const chunk of mine.waiting.splice(0)) if (mine === answer) sink(chunk);
    } catch (error) {
      lose(error);
    }
    return mine === answer;
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
    if (!keeps) {
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
    // Of a body that its reader cancelled this does nothing.
    lost.body?.error(error);
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
    if (answer?.head && !cause && parser.end()) {
      hand();
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
        const nothing = { hasBytes: false, head: undefined, waiting: [], body: undefined };
        const mine = { ...nothing, request, resolve, reject };
        answer = mine;
        parser.expect(request.method);
        // First of all: it is on its way while the rest is made ready.
        socket.write(request.bytes);
        if (answer !== mine) return;
        socket.hold(true);
        request.signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((size, { byteLength }) => size + byteLength, 0);
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [first] = chunks;
  return (chunks.length === 1 && first ? first : Buffer.concat(chunks)) as Uint8Array<ArrayBuffer>;
}
