import { Problem } from "./problem.ts";
import { toProblem } from "./toProblem.ts";

/** One server-sent event. https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface ServerSentEvent {
  /** What a client sends back as Last-Event-ID; one line. */
  id?: string | number | undefined;
  event?: string | undefined;
  /** Lines are sent as several `data:` fields. */
  data: string;
}

export interface EventStreamOptions<T> {
  /** Ends the stream (shutdown, request gone). */
  signal?: AbortSignal | undefined;
  /** A comment after so much silence. Default 30000. */
  keepAliveMs?: number;
  /** The frame of an item; encode once and hand out the same bytes to all clients. Default: items are events or frames. */
  format?: (item: T) => ServerSentEvent | string | Uint8Array;
  /** Bytes that wait for a client before its source is not read on. Default 262144. */
  bufferBytes?: number;
  /** How long a full buffer may stay full before the client is cut. Default 30000. */
  slowReaderMs?: number;
  /** Sent with the head, so that it goes out at once. Default ":ok\n\n", a comment; "" where the source starts at once. */
  opening?: string;
  headers?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();
const keepAlive = encoder.encode(":\n\n");

/** The event's frame, ended by an empty line. */
export function formatEvent(event: ServerSentEvent): string {
  const id = event.id === undefined ? "" : `id: ${oneLine(String(event.id))}\n`;
  const kind = event.event === undefined ? "" : `event: ${oneLine(event.event)}\n`;
  return `${id}${kind}data: ${event.data.replace(/\r\n|\r|\n/g, "\ndata: ")}\n\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]/g, " ");
}

/**
 * A response that sends each item of `source` as it comes. The head goes out at once. A client that does not read makes
 * the source wait (so a source that must not wait bounds its own queue and throws `slow_reader`), and is cut after
 * `slowReaderMs`. An error of the source is the last event: `event: error` with its message. The source is returned
 * (`iterator.return`) when the client leaves or `signal` fires.
 *
 * @example
 * app.get("/events", (c) => eventStream(engine.events(since, c.req.raw.signal), { signal: c.req.raw.signal, format }));
 */
export function eventStream<T>(source: AsyncIterable<T>, options: EventStreamOptions<T> = {}): Response {
  const { format, bufferBytes = 1 << 18 } = options;
  const sender = new Sender(source[Symbol.asyncIterator](), {
    keepAliveMs: options.keepAliveMs ?? 30_000,
    slowReaderMs: options.slowReaderMs ?? 30_000,
    opening: options.opening ?? ":ok\n\n",
    signal: options.signal,
    frame: (item) => frameOf(format ? format(item) : item),
  });
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        void sender.run(controller);
      },
      pull: () => sender.wake?.(),
      cancel: () => sender.stop(),
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // Proxies that gather responses (nginx) would hold events back.
      "x-accel-buffering": "no",
      ...options.headers,
    },
  });
}

interface SenderOptions<T> {
  keepAliveMs: number;
  slowReaderMs: number;
  opening: string;
  signal: AbortSignal | undefined;
  frame: (item: T) => Uint8Array;
}

/** One client's stream: reads the source no faster than the client reads us. */
class Sender<T> {
  readonly #source: AsyncIterator<T>;
  readonly #options: SenderOptions<T>;
  #stopped = false;
  #cancelled = false;
  /** Ends the wait that is going on. */
  #interrupt: (() => void) | undefined;
  /** Called when the client has taken something. */
  wake: (() => void) | undefined;

  constructor(source: AsyncIterator<T>, options: SenderOptions<T>) {
    this.#source = source;
    this.#options = options;
  }

  /** The client has gone. */
  stop(): void {
    this.#cancelled = true;
    this.#end();
  }

  async run(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { signal, frame, keepAliveMs, opening } = this.#options;
    const end = () => this.#end();
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) this.#stopped = true;
    const beat = setInterval(() => {
      if ((controller.desiredSize ?? 0) > 0) controller.enqueue(keepAlive);
    }, keepAliveMs);
    if (opening !== "") controller.enqueue(encoder.encode(opening));
    try {
      while (!this.#stopped) {
        const next = await this.#unlessStopped(this.#source.next());
        if (next === undefined || next.done) break;
        beat.refresh();
        controller.enqueue(frame(next.value));
        if ((controller.desiredSize ?? 1) <= 0) await this.#drained(controller);
      }
    } catch (error) {
      if (!this.#cancelled) controller.enqueue(errorFrame(error));
    } finally {
      clearInterval(beat);
      signal?.removeEventListener("abort", end);
      if (!this.#cancelled) controller.close();
      // Not awaited: a generator that waits inside returns only once it goes on. What it throws then concerns nobody.
      void Promise.resolve(this.#source.return?.()).catch(() => undefined);
    }
  }

  #end(): void {
    this.#stopped = true;
    this.#interrupt?.();
  }

  /** The promise's value, or undefined as soon as the stream stops. A race with one lasting promise would leak. */
  #unlessStopped<V>(promise: Promise<V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#interrupt = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }

  #drained(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const { slowReaderMs } = this.#options;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.wake = undefined;
        act();
      };
      const timer = setTimeout(
        () => settle(() => reject(new Problem("slow_reader", `the client read nothing for ${slowReaderMs} ms`))),
        slowReaderMs,
      );
      this.#interrupt = () => settle(resolve);
      this.wake = () => {
        if ((controller.desiredSize ?? 1) > 0) settle(resolve);
      };
    });
  }
}

function errorFrame(error: unknown): Uint8Array {
  return encoder.encode(formatEvent({ event: "error", data: toProblem(error).message }));
}

function frameOf(item: unknown): Uint8Array {
  if (item instanceof Uint8Array) return item;
  return encoder.encode(typeof item === "string" ? item : formatEvent(item as ServerSentEvent));
}
