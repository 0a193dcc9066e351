import { afterEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { connectTcp, listenTcp, type TcpListener, type TcpSocket } from "../../../../../lib/runtime/tcp.ts";
import type { Route } from "../../../../../tools/ambassadord/planes/plane.ts";
import { type RefusedConnection, SocketPlane } from "../../../../../tools/ambassadord/planes/socket/socketPlane.ts";
import { freePort } from "../../../../testbed/freePort.ts";
import { waitFor } from "../../../../testbed/waitFor.ts";
import { backendOf, routeOf } from "../../routeOf.ts";

const opened: { stop(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop();
});

function planeOf(options: ConstructorParameters<typeof SocketPlane>[0] = {}) {
  const refused: RefusedConnection[] = [];
  const plane = new SocketPlane({ onRefused: (one) => void refused.push(one), ...options });
  opened.push({ stop: () => plane.close() });
  return { plane, refused };
}

/** The caller 127.0.0.1 dials the ambassador at 127.0.0.2. */
function route(port: number, change: Partial<Route> = {}): Route {
  return routeOf({
    port,
    caller: { name: "me", addresses: [{ ip: "127.0.0.1", networkId: "n", gateway: "127.0.0.2" }] },
    ...change,
  });
}

async function serve(accept: (socket: TcpSocket) => void): Promise<TcpListener> {
  const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, accept);
  opened.push(listener);
  return listener;
}

const named = (name: string) =>
  serve((socket) => {
    socket.handlers = { end: () => socket.end() };
    socket.write(new TextEncoder().encode(name));
    socket.end();
    socket.resume();
  });

const dial = (port: number) => connectTcp({ hostname: "127.0.0.2", port }, AbortSignal.timeout(5000));

/** Everything until the peer's end. */
function readAll(socket: TcpSocket): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve) => {
    let text = "";
    let ended = false;
    socket.handlers = {
      data: (bytes) => {
        text += new TextDecoder().decode(bytes);
      },
      end() {
        ended = true;
        socket.end();
      },
      close: () => resolve({ text, ended }),
    };
    socket.resume();
  });
}

async function ask(port: number): Promise<string> {
  return (await readAll(await dial(port))).text;
}

describe("SocketPlane", () => {
  test("carries a caller to its backend, and changes backends without touching held connections", async () => {
    const echo = await serve((socket) => {
      socket.handlers = { data: (bytes) => void socket.write(bytes), end: () => socket.end() };
      socket.resume();
    });
    const other = await named("other");
    const { plane } = planeOf();
    const port = await freePort();
    const [applied] = await plane.apply([route(port, { backends: [backendOf("127.0.0.1", echo.port)] })]);
    expect(applied).toMatchObject({ plane: "socket", state: "active" });
    const held = await dial(port);
    await plane.apply([route(port, { backends: [backendOf("127.0.0.1", other.port)] })]);
    expect(await ask(port)).toBe("other");
    await plane.apply([]);
    expect(dial(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    const answer = readAll(held);
    held.write(new TextEncoder().encode("still"));
    held.end();
    expect(await answer).toEqual({ text: "still", ended: true });
    expect(plane.counters).toMatchObject({ accepted: 2, active: 0, bytesSent: 5 });
  });

  test("half-close: 64 MiB, our FIN, then the backend's hash of it all", async () => {
    const backend = await serve((socket) => {
      const hash = createHash("sha256");
      socket.handlers = {
        data: (bytes) => void hash.update(bytes),
        end() {
          socket.write(new TextEncoder().encode(hash.digest("hex")));
          socket.end();
        },
      };
      socket.resume();
    });
    const { plane } = planeOf();
    const port = await freePort();
    await plane.apply([route(port, { backends: [backendOf("127.0.0.1", backend.port)] })]);
    const socket = await dial(port);
    const answer = readAll(socket);
    const block = randomBytes(1 << 20);
    const hash = createHash("sha256");
    for (let sent = 0; sent < 64; sent++) {
      hash.update(block);
      if (!socket.write(block))
        await new Promise<void>((drained) => {
          socket.handlers.drain = drained;
        });
    }
    socket.end();
    expect(await answer).toEqual({ text: hash.digest("hex"), ended: true });
  });

  test("a slow reader stops the sender: memory stays flat", async () => {
    let sent = 0;
    let stop = false;
    const block = randomBytes(1 << 16);
    const backend = await serve((socket) => {
      const push = () => {
        while (!stop) {
          sent += block.length;
          if (!socket.write(block)) return;
        }
      };
      socket.handlers = { drain: push };
      socket.resume();
      push();
    });
    const { plane } = planeOf();
    const port = await freePort();
    await plane.apply([route(port, { backends: [backendOf("127.0.0.1", backend.port)] })]);
    const before = process.memoryUsage.rss();
    const socket = await dial(port); // never resumed
    let last = -1;
    const stands = () => {
      const same = sent > 0 && sent === last;
      last = sent;
      return same;
    };
    await waitFor(stands, { what: "the sender to stop", intervalMs: 200 });
    expect(sent).toBeLessThan(64 << 20);
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 << 20);
    stop = true;
    socket.destroy();
    await waitFor(() => plane.counters.active === 0, { what: "the broken connection to be taken down" });
  });

  test("one dead backend of three: no failure in 1000 connects, each retried on another", async () => {
    const [a, b] = [await named("a"), await named("b")];
    const dead = await freePort();
    const { plane } = planeOf();
    const port = await freePort();
    await plane.apply([route(port, { backends: [a.port, b.port, dead].map((each) => backendOf("127.0.0.1", each)) })]);
    const answers: Record<string, number> = {};
    const worker = async () => {
      for (let i = 0; i < 125; i++) {
        const answer = await ask(port);
        answers[answer] = (answers[answer] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(Object.keys(answers).sort()).toEqual(["a", "b"]);
    expect((answers.a ?? 0) + (answers.b ?? 0)).toBe(1000);
    expect(plane.counters.retries).toBeGreaterThan(200);
    expect(plane.failures(route(port).id).at(-1)).toMatchObject({ backend: `127.0.0.1:${dead}`, why: "ECONNREFUSED" });
  }, 30_000);

  test("closes, with caller and reason, when there are no backends, none answers, or there is no route", async () => {
    const { plane, refused } = planeOf();
    const [empty, dead] = [await freePort(), await freePort()];
    const mine = { name: "other", addresses: [{ ip: "127.0.0.9", networkId: "n", gateway: "127.0.0.2" }] };
    const foreign = await freePort();
    const applied = await plane.apply([
      route(empty),
      route(dead, { backends: [backendOf("127.0.0.1", await freePort())] }),
      route(foreign, { caller: mine, id: "x/tcp/1" }),
    ]);
    expect(applied.map(({ state }) => state)).toEqual(["no_backends", "active", "no_backends"]);
    for (const port of [empty, dead, foreign]) expect((await readAll(await dial(port))).text).toBe("");
    expect(refused.map(({ caller, port, reason }) => [caller, port, reason])).toEqual([
      ["127.0.0.1", empty, "no_backends"],
      ["127.0.0.1", dead, "connect_failed"],
      ["127.0.0.1", foreign, "no_route"],
    ]);
    expect(refused[1]?.why).toContain("ECONNREFUSED");
    expect(plane.counters.refused).toEqual({ no_route: 1, no_backends: 1, connect_failed: 1, too_many_connections: 0 });
  });

  test("a taken port refuses that route alone, names it, and is served once it is free", async () => {
    const taken = await listenTcp({ hostname: "127.0.0.2", port: 0 }, () => undefined);
    const web = await named("web");
    const { plane } = planeOf();
    const routes = [taken.port, await freePort()].map((port) =>
      route(port, { id: `c/tcp/${port}`, backends: [backendOf("127.0.0.1", web.port)] }),
    );
    const [first, second] = await plane.apply(routes);
    expect(first).toMatchObject({
      plane: "none",
      state: "refused",
      why: `127.0.0.2:${taken.port} is taken by another program on this host`,
    });
    expect(second?.state).toBe("active");
    taken.stop();
    await waitFor(async () => (await plane.apply(routes))[0]?.state === "active", { what: "the port to be served" });
    expect(await ask(taken.port)).toBe("web");
  });

  test("connections of a route are bounded; those of others are not touched", async () => {
    const open = await serve((socket) => socket.resume());
    const { plane } = planeOf({ maxConnections: 2 });
    const [one, two] = [await freePort(), await freePort()];
    const backends = [backendOf("127.0.0.1", open.port)];
    await plane.apply([route(one, { id: "a", backends }), route(two, { id: "b", backends })]);
    const held = [await dial(one), await dial(one)];
    await waitFor(() => plane.counters.active === 2, { what: "two to be carried" });
    await readAll(await dial(one));
    expect(plane.counters.refused.too_many_connections).toBe(1);
    held.push(await dial(two));
    await waitFor(() => plane.counters.active === 3, { what: "the other route's to be carried" });
    for (const socket of held) socket.destroy();
    await waitFor(() => plane.counters.active === 0, { what: "all to be gone" });
  });
});
