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
  headers?: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();
const keepAlive = encoder.encode(":\n\n");
const opening = encoder.encode(":ok\n\n");

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
  const { keepAliveMs = 30_000, bufferBytes = 1 << 18, slowReaderMs = 30_000, signal } = options;
  const iterator = source[Symbol.asyncIterator]();
  const stop = new AbortController();
  let wake: (() => void) | undefined;

  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(opening);
        void pump(controller);
      },
      pull() {
        wake?.();
      },
      cancel() {
        stop.abort();
      },
    },
    { highWaterMark: bufferBytes, size: (chunk) => chunk?.byteLength ?? 0 },
  );

  async function pump(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const ended = AbortSignal.any(signal ? [stop.signal, signal] : [stop.signal]);
    const gone = new Promise<"gone">((resolve) => {
      if (ended.aborted) resolve("gone");
      ended.addEventListener("abort", () => resolve("gone"), { once: true });
    });
    const beat = setInterval(() => {
      if (!stop.signal.aborted && (controller.desiredSize ?? 0) > 0) controller.enqueue(keepAlive);
    }, keepAliveMs);
    try {
      for (;;) {
        const next = await Promise.race([iterator.next(), gone]);
        if (next === "gone" || next.done) break;
        beat.refresh?.();
        controller.enqueue(frameOf(options.format ? options.format(next.value) : next.value));
        if ((controller.desiredSize ?? 1) <= 0 && (await Promise.race([drained(controller), gone])) === "gone") break;
      }
    } catch (error) {
      if (!ended.aborted)
        controller.enqueue(encoder.encode(formatEvent({ event: "error", data: toProblem(error).message })));
    } finally {
      clearInterval(beat);
      // Not awaited: a generator that waits inside returns only once it goes on.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
      if (!stop.signal.aborted) controller.close();
    }
  }

  function drained(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Problem("slow_reader", `the client read nothing for ${slowReaderMs} ms`)),
        slowReaderMs,
      );
      wake = () => {
        if ((controller.desiredSize ?? 1) <= 0) return;
        clearTimeout(timer);
        wake = undefined;
        resolve();
      };
      stop.signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
    });
  }

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

function frameOf(item: unknown): Uint8Array {
  if (item instanceof Uint8Array) return item;
  return encoder.encode(typeof item === "string" ? item : formatEvent(item as ServerSentEvent));
}
