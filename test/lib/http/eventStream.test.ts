import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createApi, eventStream, formatEvent, lastEventId, Problem, serveApi } from "../../../lib/http/index.ts";
import type { HttpServer } from "../../../lib/runtime/serveHttp.ts";
import { waitFor } from "../../testbed/waitFor.ts";

let returned = 0;
let produced = 0;
const shutdown = new AbortController();

/** Waits for ever, and tells when it is let go. */
function silence<T>(): AsyncIterableIterator<T> {
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => new Promise(() => undefined),
    async return() {
      returned++;
      return { done: true, value: undefined };
    },
  };
  return iterator;
}

const api = createApi({ name: "dock", version: "1" });
api.get("/few", () =>
  eventStream(
    (async function* () {
      yield { id: 7, event: "up", data: "a\nb" };
      yield "id: 8\ndata: given as text\n\n";
      yield new TextEncoder().encode("data: given as bytes\n\n");
    })(),
  ),
);
api.get("/formatted", () =>
  eventStream(
    (async function* () {
      yield { index: 3, kind: "down" };
    })(),
    { format: (item) => ({ id: item.index, data: JSON.stringify(item) }) },
  ),
);
api.get("/silent", (c) => eventStream<string>(silence(), { signal: c.req.raw.signal, keepAliveMs: 50 }));
api.get("/until", () => eventStream<string>(silence(), { signal: shutdown.signal }));
api.get("/fails", () =>
  eventStream(
    (async function* () {
      yield "data: 1\n\n";
      throw new Problem("slow_reader", "discoverd: channel send failed due to blocked receiver");
    })(),
  ),
);
api.get("/breaks", () =>
  eventStream(
    (async function* () {
      yield "data: 1\n\n";
      throw new Error("the password is x");
    })(),
  ),
);
api.get("/flood", (c) =>
  eventStream(
    (async function* () {
      try {
        for (;;) {
          produced++;
          yield `data: ${"x".repeat(10_000)}\n\n`;
        }
      } finally {
        returned++;
      }
    })(),
    { signal: c.req.raw.signal, slowReaderMs: 400 },
  ),
);

let server: HttpServer;
beforeAll(async () => {
  server = await serveApi(api, { port: 0 });
});
afterAll(() => server.stop());

async function all(path: string): Promise<string> {
  return (await fetch(server.url + path, { signal: AbortSignal.timeout(5000) })).text();
}

function rawGet(path: string): Socket {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

describe("eventStream", () => {
  test("events, texts and bytes, in order", async () => {
    expect(await all("/few")).toBe(
      ":ok\n\nid: 7\nevent: up\ndata: a\ndata: b\n\nid: 8\ndata: given as text\n\ndata: given as bytes\n\n",
    );
    expect(await all("/formatted")).toBe(`:ok\n\nid: 3\ndata: {"index":3,"kind":"down"}\n\n`);
  });

  test("head and first bytes come at once, then keep-alives", async () => {
    const leave = new AbortController();
    const response = await fetch(`${server.url}/silent`, { signal: leave.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    const reader = response.body?.getReader();
    let text = "";
    while (!text.includes(":\n\n:\n\n")) text += new TextDecoder().decode((await reader?.read())?.value);
    expect(text).toStartWith(":ok\n\n:\n\n");
    const before = returned;
    leave.abort();
    await waitFor(() => returned === before + 1, { what: "the stream to be let go", deadlineMs: 5000 });
  });

  test("a client that is cut off without a word lets the source go", async () => {
    const before = returned;
    const socket = rawGet("/silent");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.resetAndDestroy();
    await waitFor(() => returned === before + 1, { what: "the stream to be let go", deadlineMs: 5000 });
  });

  test("ends when the server says so", async () => {
    const before = returned;
    const response = await fetch(`${server.url}/until`);
    shutdown.abort();
    expect(await response.text()).toBe(":ok\n\n");
    expect(returned).toBe(before + 1);
    // And at once when it was said before.
    expect(await all("/until")).toBe(":ok\n\n");
  });

  test("an error is the last event; an unforeseen one tells nothing", async () => {
    expect(await all("/fails")).toEndWith(
      "data: 1\n\nevent: error\ndata: discoverd: channel send failed due to blocked receiver\n\n",
    );
    expect(await all("/breaks")).toEndWith("event: error\ndata: Something went wrong\n\n");
  });

  test("a slow reader makes the source wait, in bounded memory, and is cut with an error event", async () => {
    const before = returned;
    produced = 0;
    const socket = rawGet("/flood");
    socket.pause();
    await waitFor(() => returned === before + 1, { what: "the stream to be let go", deadlineMs: 5000 });
    // The kernel's two buffers (some MB on loopback) and ours; an unbounded queue would have taken far more by now.
    expect(produced).toBeLessThan(2000);
    let text = "";
    socket.on("data", (bytes) => {
      text = (text + bytes.toString()).slice(-300);
    });
    socket.resume();
    await waitFor(() => text.includes("event: error\ndata: the client read nothing for 400 ms"), {
      what: "the error event",
      deadlineMs: 5000,
    });
    socket.destroy();
  });

  test("a reader that takes its time but reads is not cut", async () => {
    const before = returned;
    const socket = rawGet("/flood");
    let taken = 0;
    const until = Date.now() + 1500;
    for await (const bytes of socket) {
      taken += bytes.length;
      if (Date.now() > until) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(returned).toBe(before);
    expect(taken).toBeGreaterThan(1_000_000);
    socket.destroy();
    await waitFor(() => returned === before + 1, { what: "the stream to be let go", deadlineMs: 5000 });
  });
});

describe("formatEvent", () => {
  test("a value cannot make fields of its own", () => {
    expect(formatEvent({ id: "1\ndata: x", event: "a\rb", data: "x\r\ny\rz\n\nevent: error" })).toBe(
      "id: 1 data: x\nevent: a b\ndata: x\ndata: y\ndata: z\ndata: \ndata: event: error\n\n",
    );
  });
});

describe("lastEventId", () => {
  const of = (path: string, header?: string) =>
    lastEventId(
      new Request(`http://localhost${path}`, { headers: header === undefined ? {} : { "last-event-id": header } }),
    );

  test("the header goes before the query", () => {
    expect(of("/?since=3", "5")).toBe("5");
    expect(of("/?since=3")).toBe("3");
    expect(of("/")).toBeUndefined();
    expect(of("/", "x".repeat(300))).toBeUndefined();
  });
});
