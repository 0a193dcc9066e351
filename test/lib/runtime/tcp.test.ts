import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { connectTcp, listenTcp, type TcpSocket } from "../../../lib/runtime/tcp.ts";

const deadline = () => AbortSignal.timeout(10_000);

/** Reads until the peer's FIN. */
function readAll(socket: TcpSocket): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    socket.handlers = {
      ...socket.handlers,
      data: (bytes) => parts.push(bytes),
      end: () => resolve(Buffer.concat(parts)),
      close: (error) => reject(error ?? new Error("closed before the FIN")),
    };
    socket.resume();
  });
}

test("a slow reader gets every byte of 32 MiB, and half-close works both ways", async () => {
  const sent = Buffer.alloc(32 << 20);
  for (let i = 0; i < sent.length; i += 4096) sent.writeUInt32LE(i, i);
  let heldBack = 0;
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => {
    // The server answers only after the client's FIN: the client's half-close must not close its reading side.
    socket.handlers = {
      end: () => {
        let at = 0;
        const push = () => {
          while (at < sent.length) {
            const chunk = sent.subarray(at, at + 65_536);
            at += chunk.length;
            if (!socket.write(chunk)) {
              heldBack++;
              return;
            }
          }
          socket.handlers.drain = undefined;
          socket.end();
        };
        socket.handlers.drain = push;
        push();
      },
    };
    socket.resume();
  });
  const client = await connectTcp({ hostname: "127.0.0.1", port: listener.port }, deadline());
  client.end();
  const got = await readAll(client);
  expect(got.length).toBe(sent.length);
  expect(createHash("sha256").update(got).digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
  expect(heldBack).toBeGreaterThan(0);
  listener.stop();
});

test("both sides learn of the close after both FINs", async () => {
  const closed: string[] = [];
  const bothClosed = Promise.withResolvers<void>();
  const note = (who: string) => () => {
    closed.push(who);
    if (closed.length === 2) bothClosed.resolve();
  };
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => {
    socket.handlers = { end: () => socket.end(), close: note("server") };
    socket.resume();
  });
  const client = await connectTcp({ hostname: "127.0.0.1", port: listener.port }, deadline());
  client.handlers = { close: note("client") };
  client.resume();
  client.end();
  await bothClosed.promise;
  expect(closed.sort()).toEqual(["client", "server"]);
  listener.stop();
});

test("a refused connection and an aborted one reject", async () => {
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, () => undefined);
  const { port } = listener;
  listener.stop();
  const refused = await connectTcp({ hostname: "127.0.0.1", port }, deadline()).catch((error) => error);
  expect(refused.code).toBe("ECONNREFUSED");
  await expect(connectTcp({ hostname: "127.0.0.1", port }, AbortSignal.abort(new Error("no")))).rejects.toThrow("no");
});

test("a paused connection is not read", async () => {
  let server: TcpSocket | undefined;
  const accepted = Promise.withResolvers<void>();
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, (socket) => {
    server = socket;
    accepted.resolve();
  });
  const client = await connectTcp({ hostname: "127.0.0.1", port: listener.port }, deadline());
  await accepted.promise;
  // More than the kernel's buffers hold: a reader that was not paused would let all of it go.
  let taken = true;
  for (let i = 0; taken && i < 1000; i++) taken = client.write(new Uint8Array(1 << 20));
  expect(taken).toBe(false);
  client.destroy();
  server?.destroy();
  listener.stop();
});
