import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { socketFetch } from "../../../lib/runtime/socketFetch.ts";
import { listenTcp, type TcpSocket } from "../../../lib/runtime/tcp.ts";
import { wholeBody } from "../../../lib/runtime/wholeResponse.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
const signal = () => AbortSignal.timeout(10_000);

/** A server that answers each request with what it is told; `requests` are the texts it got, `sockets` the connections. */
async function scripted(answer: (socket: TcpSocket, request: string, count: number) => void) {
  const requests: string[] = [];
  const sockets: TcpSocket[] = [];
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => {
    sockets.push(socket);
    socket.handlers = {
      data: (bytes) => answer(socket, Buffer.from(bytes).toString(), requests.push(Buffer.from(bytes).toString())),
      end: () => socket.end(),
    };
    socket.resume();
  });
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    listener.stop();
  });
  return { url: `http://127.0.0.1:${listener.port}`, requests, sockets };
}
const text = (socket: TcpSocket, answer: string) => socket.write(Buffer.from(answer, "latin1"));
/** In pieces, each in a packet of its own. */
async function pieces(socket: TcpSocket, bytes: Uint8Array, cuts: readonly number[]): Promise<void> {
  const at = [0, ...[...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b), bytes.length];
  for (let i = 0; i + 1 < at.length; i++) {
    socket.write(bytes.subarray(at[i], at[i + 1]));
    await new Promise(setImmediate);
  }
}

test("what is sent, and the answer with a length; the connection is used again", async () => {
  const server = await scripted((socket) =>
    text(socket, "HTTP/1.1 200 OK\r\nX-Index: 7\r\nContent-Length: 2\r\n\r\nhi"),
  );
  const fetch = socketFetch({});
  for (let i = 0; i < 3; i++) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url}/a/b?c=%20d`, {
      method: "PUT",
      headers,
      body: '{"é":1}',
      signal: signal(),
    });
    expect([response.status, response.headers.get("x-index"), await response.text()]).toEqual([200, "7", "hi"]);
  }
  const host = server.url.slice("http://".length);
  const head = `PUT /a/b?c=%20d HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n`;
  expect(server.requests[0]).toBe(`${head}{"é":1}`);
  expect(server.sockets.length).toBe(1);
});

test("an answer is the same wherever it is cut, with a length, in chunks or to the end of the connection", async () => {
  const fetch = socketFetch({});
  let send: (socket: TcpSocket) => void = () => {};
  const server = await scripted((socket) => send(socket));
  const framings = ["length", "chunks", "close"] as const;
  // As nearly all send them, and as they may.
  const sizes = [
    (size: number) => size.toString(16),
    (size: number) => size.toString(16).toUpperCase(),
    (size: number) => `${size.toString(16)};x=y`,
    (size: number) => `000${size.toString(16)} `,
    (size: number) => size.toString(16).padStart(10, "0"),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...framings),
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }),
      fc.array(fc.nat(2000), { maxLength: 8 }),
      fc.constantFrom("read", "sunk", "gathered", "too large to gather"),
      fc.nat(sizes.length),
      async (framing, parts, cuts, how, shift) => {
        const body = Buffer.concat(parts);
        const chunks = parts.filter((part) => part.length > 0);
        const sent = {
          length: [`Content-Length: ${body.length}\r\n\r\n`, body],
          chunks: [
            "Transfer-Encoding: chunked\r\n\r\n",
            ...chunks.flatMap((part, i) => [`${(sizes[i + shift] ?? sizes[0])?.(part.length)}\r\n`, part, "\r\n"]),
            "0\r\nTrailer: t\r\n\r\n",
          ],
          close: ["Connection: close\r\n\r\n", body],
        }[framing];
        const all = ["HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n", ...sent];
        const bytes = Buffer.concat(all.map((each) => Buffer.from(each as string, "latin1")));
        send = (socket) => {
          void pieces(socket, bytes, cuts).then(() => framing === "close" && socket.end());
        };
        const taken: Uint8Array[] = [];
        const gather = how === "gathered" ? body.length : Math.max(0, body.length - 1);
        const response = await fetch(server.url, {
          signal: signal(),
          ...(how === "sunk" ? { sink: (chunk: Uint8Array) => taken.push(chunk) } : {}),
          ...(how === "gathered" || how === "too large to gather" ? { gather } : {}),
        });
        if (how === "gathered") expect(wholeBody(response)).toEqual(new Uint8Array(body));
        const read = Buffer.from(await response.arrayBuffer());
        if (how === "sunk") expect(read.length).toBe(0);
        expect((how === "sunk" ? Buffer.concat(taken) : read).equals(body)).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
}, 30_000);

test("a sink is called before the answer's own turn comes, and takes nothing of a refusal", async () => {
  let status = 200;
  const server = await scripted((socket) => text(socket, `HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\nhi`));
  const fetch = socketFetch({});
  let taken = "";
  const sink = (bytes: Uint8Array) => {
    taken += Buffer.from(bytes).toString();
  };
  const init = { signal: signal(), sink };
  expect(await (await fetch(server.url, init)).text()).toBe("");
  expect(taken).toBe("hi");
  for (status of [404, 500]) expect(await (await fetch(server.url, init)).text()).toBe("hi");
  expect(taken).toBe("hi");
});

test("what a sink throws ends the answer and the connection: in its first packet, and later", async () => {
  const server = await scripted((socket, request) => {
    text(socket, `HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n${request.includes("/now") ? "bad" : "abc"}`);
  });
  const fetch = socketFetch({});
  const failure = new Error("that is bad");
  const sink = (bytes: Uint8Array) => {
    if (Buffer.from(bytes).toString() === "bad") throw failure;
  };
  await expect(fetch(`${server.url}/now`, { signal: signal(), sink })).rejects.toBe(failure);
  const response = await fetch(`${server.url}/later`, { signal: signal(), sink });
  // The first packet was taken by then.
  text(server.sockets.at(-1) as TcpSocket, "bad");
  await expect(response.text()).rejects.toBe(failure);
  await fetch(`${server.url}/later`, { signal: signal() }).then((last) => last.body?.cancel());
  expect(server.sockets.length).toBe(3);
});

test("what is gathered and does not come to its end is an error, and heeds its signal", async () => {
  const server = await scripted((socket, request) => {
    text(socket, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc");
    if (request.includes("/cut")) socket.end();
  });
  const fetch = socketFetch({});
  const cut = fetch(`${server.url}/cut`, { signal: signal(), gather: 100 });
  await expect(cut).rejects.toMatchObject({ code: "ECONNRESET" });
  const ending = new AbortController();
  const waiting = fetch(server.url, { signal: ending.signal, gather: 100 });
  await waitFor(() => server.requests.length === 2, { what: "the request" });
  const reason = new Error("enough");
  ending.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});

test("a request's path and headers are those of the runtime's own fetch, the first time and again", async () => {
  const server = await scripted((socket) => text(socket, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  const fetch = socketFetch({});
  const paths = [
    "",
    "/",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/%2e%2E/b",
    "/.a",
    "/a.b/c..",
    "/a b",
    "/é?é='#x",
    "/a?",
    "?x=/z",
    "#f/y",
    "\\a/c",
    "?q",
    "/a?b/../c",
    "/\\a",
    '/a|b^c`d{e}"f<g>',
  ];
  for (const path of [...paths, ...paths]) {
    const asked = `${server.url}${path}`;
    await fetch(asked, { signal: signal() });
    const { pathname, search } = new URL(asked);
    expect(server.requests.at(-1)?.split(" ")[1]).toBe(pathname + search);
  }
  const map = new Map([["x-a", "1"]]) as unknown as Record<string, string>;
  for (const headers of [{ "X-Case": " a " }, [["x-list", "1"]] as [string, string][], new Headers({ B: "2" }), map]) {
    await fetch(server.url, { signal: signal(), headers });
    const lines = server.requests.at(-1)?.split("\r\n").slice(2, 3);
    expect(lines).toEqual([...new Headers(headers)].map(([name, value]) => `${name}: ${value}`));
  }
  for (const name of ["a b", "a\r\nb", ""])
    await expect(fetch(server.url, { headers: { [name]: "x" } })).rejects.toThrow();
  for (const value of ["a\r\nb: c", "a\nb", "a\0b"]) {
    await expect(fetch(server.url, { headers: { a: value } })).rejects.toThrow();
  }
});

test("a large body is read no faster than it is taken, and whole", async () => {
  const size = 8 << 20;
  let taken = 0;
  const server = await scripted((socket) => {
    text(socket, `HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    const more = () => {
      while (taken < size) {
        taken += 65_536;
        if (!socket.write(new Uint8Array(65_536).fill(taken / 65_536))) return;
      }
    };
    socket.handlers.drain = more;
    more();
  });
  const response = await socketFetch({})(server.url, { signal: signal() });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let got = (await reader.read()).value?.byteLength ?? 0;
  // Until the sockets' own buffers are full: then the sender makes no more headway.
  let before = -1;
  const standsStill = () => {
    const stood = before === taken;
    before = taken;
    return stood;
  };
  await waitFor(standsStill, { what: "the sender to stand still", intervalMs: 200 });
  expect(taken).toBeLessThan(size);
  for (let read = await reader.read(); !read.done; read = await reader.read()) got += read.value.byteLength;
  expect(got).toBe(size);
});

test("a connection that was closed while it waited is not used, and the request is repeated where that is safe", async () => {
  const server = await scripted((socket, request, count) => {
    // The second request on a connection finds it closed.
    if (count % 2 === 0) socket.destroy();
    else text(socket, `HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n${request.slice(0, 3)}`);
  });
  const fetch = socketFetch({});
  const ask = async (method: string) => await (await fetch(server.url, { method, signal: signal() })).text();
  expect(await ask("GET")).toBe("GET");
  expect(await ask("PUT")).toBe("PUT"); // second: repeated as the third
  expect(server.requests.length).toBe(3);
  await expect(ask("POST")).rejects.toMatchObject({ code: "ECONNRESET" }); // the fourth
  expect(server.sockets.length).toBe(3); // POST took a fresh one
});

test("POST, and what says so, goes over a connection of its own", async () => {
  const server = await scripted((socket) => text(socket, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const fetch = socketFetch({});
  await fetch(server.url, { signal: signal() });
  await fetch(server.url, { keepalive: false, signal: signal() });
  await fetch(server.url, { method: "POST", signal: signal() });
  expect(server.sockets.length).toBe(3);
  expect(server.requests[1]).toContain("\r\nconnection: close\r\n");
  expect(server.requests[2]).toContain("\r\ncontent-length: 0\r\n");
});

test("answers without a body: HEAD, 204, 304", async () => {
  const heads = [
    "200 OK\r\ncontent-length: 9\r\n",
    "204 No Content\r\n",
    "304 Not Modified\r\ncontent-length: 9\r\n",
    "204 No Content\r\ntransfer-encoding: chunked\r\n",
    "205 Reset Content\r\n",
  ];
  const server = await scripted((socket, _, count) => text(socket, `HTTP/1.1 ${heads[count - 1]}\r\n`));
  const fetch = socketFetch({});
  const statuses: number[] = [];
  for (const method of ["HEAD", "GET", "GET", "GET", "GET"]) {
    const response = await fetch(server.url, { method, signal: signal() });
    expect(response.body).toBe(null);
    statuses.push(response.status);
  }
  expect(statuses).toEqual([200, 204, 304, 204, 205]);
  expect(server.sockets.length).toBe(1);
});

test("what is no answer is an error with a code, and ends the connection", async () => {
  const bad = [
    "SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    "HTTP/1.1 700 What\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 000 What\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nb@d: x\r\ncontent-length: 0\r\n\r\n",
    `HTTP/1.1 200 OK\r\nx: ${"y".repeat(200_000)}`,
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
    ...["-5\r\nabc\r\n", "zz\r\nabc\r\n", "5garbage\r\nabcde\r\n", "\r\n", "1\r\nab\r\n", "1".repeat(9000)].map(
      (chunk) => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n${chunk}`,
    ),
  ];
  let sent = "";
  const server = await scripted((socket) => text(socket, sent));
  const fetch = socketFetch({});
  for (const answer of bad) {
    sent = answer;
    const error = await fetch(server.url, { signal: signal() })
      .then((response) => response.text())
      .catch((reason: unknown) => reason);
    expect([answer.slice(0, 80), (error as { code?: unknown })?.code]).toEqual([
      answer.slice(0, 80),
      "ERR_INVALID_HTTP_RESPONSE",
    ]);
  }
  expect(server.sockets.length).toBe(bad.length);
});

test("a connection that ends too early is an error: before the head, in the head, in the body", async () => {
  let sent = "";
  const server = await scripted((socket) => {
    if (sent) text(socket, sent);
    socket.end();
  });
  const fetch = socketFetch({});
  for (sent of [
    "",
    "HTTP/1.1 200 O",
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
  ]) {
    const whole = fetch(server.url, { signal: signal() }).then((response) => response.text());
    await expect(whole).rejects.toMatchObject({ code: "ECONNRESET" });
  }
});

test("a signal ends it while connecting, waiting and reading, with its own reason, and closes the connection", async () => {
  const fetch = socketFetch({});
  const server = await scripted((socket, request) => {
    if (request.includes("/body")) text(socket, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc");
  });
  const reason = new Error("enough");
  await expect(fetch(server.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const ending = new AbortController();
  const waiting = fetch(server.url, { signal: ending.signal });
  await waitFor(() => server.requests.length === 1, { what: "the request" });
  ending.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  const later = new AbortController();
  const response = await fetch(`${server.url}/body`, { signal: later.signal });
  const body = response.text();
  later.abort(reason);
  await expect(body).rejects.toBe(reason);
  // Neither connection was kept.
  const last = await fetch(`${server.url}/body`, { signal: signal() });
  expect(server.sockets.length).toBe(3);
  await last.body?.cancel();
});

test("who cannot be reached: the code of the system", async () => {
  const dir = scratchDir();
  await expect(socketFetch({ unix: join(dir, "none") })("http://x/")).rejects.toMatchObject({
    code: "ENOENT",
    message: expect.stringContaining("ENOENT"),
  });
  const { url } = await scripted(() => {});
  for (const stop of stops.splice(0)) await stop();
  await expect(socketFetch({})(url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test.each(["unix", "tcp"])("Bun's own server over %s; a line break in a header is refused", async (kind) => {
  const at = kind === "unix" ? { unix: join(scratchDir(), "s") } : { port: 0, hostname: "127.0.0.1" };
  const server = Bun.serve({
    ...at,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/there") return new Response(null, { status: 302, headers: { location: "/here" } });
      return new Response(`${request.headers.get("host")} ${pathname} ${await request.text()}`);
    },
  });
  stops.push(() => server.stop(true));
  const fetch = socketFetch(kind === "unix" ? at : {});
  const host = kind === "unix" ? "docker" : `127.0.0.1:${server.port}`;
  const ask = async (path: string, init: RequestInit = {}) =>
    await fetch(`http://${host}${path}`, { ...init, signal: signal() });
  expect(await (await ask("/a", { method: "PUT", body: "b" })).text()).toBe(`${host} /a b`);
  if (kind === "tcp") expect(await (await ask("/there")).text()).toBe(`${host} /here `);
  expect((await ask("/there", { redirect: "manual" })).status).toBe(302);
  await expect(ask("/a", { headers: { token: "a\r\nb: c" } })).rejects.toThrow();
});

test("connections that wait do not keep the process from ending", async () => {
  const server = Bun.serve({ port: 0, fetch: () => new Response("x".repeat(100_000)) });
  stops.push(() => server.stop(true));
  const file = join(import.meta.dirname, "..", "..", "..", "lib", "runtime", "socketFetch.ts");
  const code = `import { socketFetch } from ${JSON.stringify(file)};
    const fetch = socketFetch({});
    for (let i = 0; i < 3; i++) console.log((await (await fetch("${server.url}")).text()).length);`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit", timeout: 8000 });
  expect(await new Response(child.stdout).text()).toBe("100000\n100000\n100000\n");
  expect(await child.exited).toBe(0);
});
