/** The first part of an answer. */
export interface ResponseHead {
  status: number;
  headers: Headers;
  /** The connection can carry another request after it. */
  keeps: boolean;
}

/** What came is no answer, or not the one to the request. */
export class ResponseSyntaxError extends Error {
  override readonly name = "ResponseSyntaxError";
  readonly code = "ERR_INVALID_HTTP_RESPONSE";
}

/** Most of a head, of trailers, and of the line before a chunk, in bytes. */
const maxHead = 128 << 10;
const maxLine = 4 << 10;

const nothing = new Uint8Array();
const [cr, lf] = [13, 10];
const statusLine = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const fieldLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/;
const chunkLine = /^([\da-f]{1,10})[ \t]*(?:;.*)?$/i;

/**
 * Reads the answers of one HTTP/1.x connection (RFC 9112), wherever their bytes are cut; answers with 1xx are passed over. What is not as the RFC
 * has it is an error, not a guess. Chunks of the body are views of what was pushed.
 *
 * @example
 * const parser = new ResponseParser({ head: ({ status }) => console.log(status), body: (chunk) => console.log(chunk.byteLength) });
 * parser.expect("GET");
 * parser.push(Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")); // 200, 2
 * parser.isDone; // true
 */
export class ResponseParser {
  readonly #told: { head(head: ResponseHead): void; body(chunk: Uint8Array): void };
  #state: "idle" | "head" | "sized" | "to the end" | "chunk line" | "chunk" | "chunk end" | "trailers" = "idle";
  #method = "GET";
  /** Of a line or a head that is not whole yet. */
  #kept: Uint8Array = nothing;
  /** Of the body or of the chunk, in bytes. */
  #left = 0;
  #trailerBytes = 0;

  constructor(told: { head(head: ResponseHead): void; body(chunk: Uint8Array): void }) {
    this.#told = told;
  }

  /** The answer to a request with `method` comes next. */
  expect(method: string): void {
    this.#method = method;
    this.#state = "head";
  }

  /** The answer was read to its end. */
  get isDone(): boolean {
    return this.#state === "idle";
  }

  /** @throws {ResponseSyntaxError}; nothing can be read after it */
  push(bytes: Uint8Array): void {
    // Sockets give Buffers, and asking bytes for their `buffer` is not free.
    let all = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#kept.length > 0) all = Buffer.concat([this.#kept, all]);
    this.#kept = nothing;
    for (let at = 0; at < all.length; ) {
      const used = this.#chunk(all, at) || this.#step(at === 0 ? all : all.subarray(at));
      if (used === 0) {
        // A copy, so that a large answer's memory is not held for its last line.
        this.#kept = Buffer.from(all.subarray(at));
        return;
      }
      at += used;
    }
  }

  /** The peer says no more. True: that was the end of a body without a length. */
  end(): boolean {
    if (this.#state !== "to the end") return false;
    this.#state = "idle";
    return true;
  }

  /**
   * A whole chunk as they are sent: its size alone, CR LF, its bytes, CR LF. 0: it is another, for `#step` to read. An event of a stream
   * comes in one, and who waits for that is spared half of the way (0.05 ms of code that runs once in a while).
   */
  #chunk(all: Uint8Array, at: number): number {
    if (this.#state !== "chunk line") return 0;
    let size = 0;
    let next = at;
    for (let digit = hexDigit(all[next]); digit >= 0 && next - at < 7; digit = hexDigit(all[++next]))
      size = size * 16 + digit;
    const from = next + 2;
    const end = from + size;
    if (size === 0 || all[next] !== cr || all[next + 1] !== lf || all[end] !== cr || all[end + 1] !== lf) return 0;
    this.#told.body(all.subarray(from, end));
    return end + 2 - at;
  }

  /** Takes what it can from the beginning; 0: it is not whole yet. */
  #step(rest: Buffer): number {
    switch (this.#state) {
      case "idle":
        throw new ResponseSyntaxError("more came than was asked for");
      case "head":
        return this.#head(rest);
      case "to the end":
        this.#told.body(rest);
        return rest.length;
      case "sized":
      case "chunk": {
        const size = Math.min(this.#left, rest.length);
        this.#told.body(rest.subarray(0, size));
        this.#left -= size;
        if (this.#left === 0) this.#state = this.#state === "chunk" ? "chunk end" : "idle";
        return size;
      }
      case "chunk line":
        return this.#line(rest, maxLine, (line) => {
          const size = Number.parseInt(chunkLine.exec(line)?.[1] ?? "", 16);
          if (Number.isNaN(size)) throw new ResponseSyntaxError(`a chunk of size ${quoted(line)}`);
          this.#left = size;
          this.#state = size === 0 ? "trailers" : "chunk";
        });
      case "chunk end":
        return this.#line(rest, 2, (line) => {
          if (line !== "") throw new ResponseSyntaxError("a chunk that is longer than its size");
          this.#state = "chunk line";
        });
      case "trailers":
        return this.#line(rest, maxHead, (line) => {
          this.#trailerBytes += line.length;
          if (this.#trailerBytes > maxHead) throw new ResponseSyntaxError("trailers without an end");
          if (line === "") this.#state = "idle";
        });
    }
  }

  /** Up to CR LF, in latin1; what is longer than `most` without one is an error. */
  #line(rest: Buffer, most: number, take: (line: string) => void): number {
    const at = rest.indexOf("\r\n");
    if (at < 0) {
      if (rest.length > most) throw new ResponseSyntaxError("a line without an end");
      return 0;
    }
    take(rest.toString("latin1", 0, at));
    return at + 2;
  }

  #head(rest: Buffer): number {
    const at = rest.indexOf("\r\n\r\n");
    if (at < 0) {
      if (rest.length > maxHead) throw new ResponseSyntaxError("a head without an end");
      const isHttp = rest.toString("latin1", 0, 5);
      if (!"HTTP/".startsWith(isHttp)) throw new ResponseSyntaxError(`it begins with ${quoted(isHttp)}`);
      return 0;
    }
    const [first = "", ...fields] = rest.toString("latin1", 0, at).split("\r\n");
    const [, minor, digits] = statusLine.exec(first) ?? [];
    const status = Number(digits);
    if (minor === undefined || status < 100 || status > 599 || status === 101) {
      throw new ResponseSyntaxError(`it begins with ${quoted(first)}`);
    }
    if (status >= 200) this.#begin(status, headersOf(fields), minor === "1");
    return at + 4;
  }

  #begin(status: number, headers: Headers, isCurrent: boolean): void {
    const length = lengthOf(headers);
    const hasBody = this.#method !== "HEAD" && status !== 204 && status !== 304;
    const isUnbound = hasBody && length === undefined && status !== 205;
    const connection = (headers.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
    const keeps = !isUnbound && (isCurrent ? !connection.includes("close") : connection.includes("keep-alive"));
    this.#left = typeof length === "number" ? length : 0;
    this.#trailerBytes = 0;
    if (isUnbound) this.#state = "to the end";
    else if (hasBody && length === "chunked") this.#state = "chunk line";
    else this.#state = hasBody && this.#left > 0 ? "sized" : "idle";
    this.#told.head({ status, headers, keeps });
  }
}

/** -1: it is none. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function headersOf(fields: readonly string[]): Headers {
  const headers = new Headers();
  for (const field of fields) {
    const [, name, value] = fieldLine.exec(field) ?? [];
    if (name === undefined || value === undefined) throw new ResponseSyntaxError(`the header ${quoted(field)}`);
    try {
      headers.append(name, value);
    } catch {
      throw new ResponseSyntaxError(`the header ${quoted(field)}`);
    }
  }
  return headers;
}

/** Of the body, in bytes; undefined: it is not told. */
function lengthOf(headers: Headers): number | "chunked" | undefined {
  const encoding = headers.get("transfer-encoding");
  if (encoding !== null) {
    if (encoding.toLowerCase() === "chunked") return "chunked";
    throw new ResponseSyntaxError(`the transfer encoding ${quoted(encoding)}`);
  }
  const told = headers.get("content-length");
  if (told === null) return undefined;
  const [length = "", ...same] = told.split(/[ \t]*,[ \t]*/);
  if (!/^\d{1,15}$/.test(length) || same.some((other) => other !== length)) {
    throw new ResponseSyntaxError(`the length ${quoted(told)}`);
  }
  return Number(length);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
