import { createInterface } from "node:readline";
import { connectTcp, listenTcp, type TcpSocket } from "../../../lib/runtime/tcp.ts";
import { bindUdp, type UdpSocket } from "../../../lib/runtime/udp.ts";
import type { KernelPlane } from "../../../tools/ambassadord/planes/kernel/kernelPlane.ts";
import { openKernelPlane } from "../../../tools/ambassadord/planes/kernel/openKernelPlane.ts";
import type { Route } from "../../../tools/ambassadord/planes/plane.ts";

/** Runs inside a namespace: takes one JSON command a line, answers each with one JSON line. See inNamespace.ts. */
export type HelperCommand =
  /** Answers each connection with its name and the caller's address, then echoes. */
  | { do: "serve"; name: string; port: number }
  /** `count` connections, `parallel` at a time; what was answered, and how often. */
  | { do: "ask"; host: string; port: number; count: number; parallel?: number; timeoutMs?: number }
  /** As `ask`, until `askEnd`. */
  | { do: "askBegin"; host: string; port: number }
  | { do: "askEnd" }
  /** Answers each datagram with its name. */
  | { do: "serveUdp"; name: string; port: number }
  /** One datagram from a socket that stays the same for all of them, and its answer. */
  | { do: "askUdp"; host: string; port: number }
  /** Opens a connection that stays, and says who answered. */
  | { do: "hold"; host: string; port: number }
  /** Whether the held one still echoes. */
  | { do: "held" }
  | { do: "plane" }
  | { do: "apply"; routes: Route[] }
  /** Applies again whenever it is outdated, looking every 250 ms, until the next `watch`. */
  | { do: "watch"; routes: Route[] }
  | { do: "planeState" }
  | { do: "closePlane" };

export interface AskResult {
  answers: Record<string, number>;
  errors: Record<string, number>;
  slowestMs: number;
}

let plane: KernelPlane | undefined;
let udp: UdpSocket | undefined;
let answered: ((text: string) => void) | undefined;
let held: TcpSocket | undefined;
let watching: ReturnType<typeof setInterval> | undefined;
let endless: { stop: boolean; result: Promise<AskResult> } | undefined;

async function once(host: string, port: number, timeoutMs: number): Promise<string> {
  const socket = await connectTcp({ hostname: host, port }, AbortSignal.timeout(timeoutMs));
  const answer = await firstBytes(socket, timeoutMs);
  socket.destroy();
  return answer.split(" ")[0] ?? "";
}

function firstBytes(socket: TcpSocket, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), timeoutMs);
    socket.handlers = {
      data(bytes) {
        clearTimeout(timer);
        resolve(new TextDecoder().decode(bytes));
      },
      close() {
        clearTimeout(timer);
        reject(new Error("closed without an answer"));
      },
    };
    socket.resume();
  });
}

async function ask(host: string, port: number, parallel: number, timeoutMs: number, more: () => boolean) {
  const result: AskResult = { answers: {}, errors: {}, slowestMs: 0 };
  const worker = async () => {
    while (more()) {
      const begun = performance.now();
      try {
        const name = await once(host, port, timeoutMs);
        result.answers[name] = (result.answers[name] ?? 0) + 1;
      } catch (error) {
        const code = (error as { code?: string }).code ?? String(error);
        result.errors[code] = (result.errors[code] ?? 0) + 1;
      }
      result.slowestMs = Math.max(result.slowestMs, performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return result;
}

async function obey(command: HelperCommand): Promise<unknown> {
  switch (command.do) {
    case "serve":
      await listenTcp({ hostname: "0.0.0.0", port: command.port }, (socket) => {
        socket.handlers = { data: (bytes) => void socket.write(bytes), end: () => socket.end() };
        socket.write(new TextEncoder().encode(`${command.name} ${socket.remoteAddress}`));
        socket.resume();
      });
      return "serving";
    case "ask": {
      let left = command.count;
      return ask(command.host, command.port, command.parallel ?? 4, command.timeoutMs ?? 8000, () => left-- > 0);
    }
    case "askBegin": {
      const own = { stop: false, result: Promise.resolve() as unknown as Promise<AskResult> };
      own.result = ask(command.host, command.port, 4, 8000, () => !own.stop);
      endless = own;
      return "begun";
    }
    case "askEnd":
      if (!endless) throw new Error("not begun");
      endless.stop = true;
      return endless.result;
    case "serveUdp": {
      const server = await bindUdp({ hostname: "0.0.0.0", port: command.port }, (_bytes, port, address) =>
        server.send(new TextEncoder().encode(command.name), port, address),
      );
      return "serving";
    }
    case "askUdp": {
      udp ??= await bindUdp({ hostname: "0.0.0.0", port: 0 }, (bytes) => answered?.(new TextDecoder().decode(bytes)));
      const answer = new Promise<string>((resolve) => {
        answered = resolve;
        setTimeout(() => resolve(""), 2000);
      });
      udp.send(new TextEncoder().encode("?"), command.port, command.host);
      return answer;
    }
    case "hold":
      held = await connectTcp({ hostname: command.host, port: command.port }, AbortSignal.timeout(8000));
      return firstBytes(held, 8000);
    case "held": {
      if (!held) throw new Error("nothing is held");
      const echo = firstBytes(held, 3000);
      held.write(new TextEncoder().encode("still there"));
      return echo;
    }
    case "plane": {
      const opened = await openKernelPlane();
      if ("unavailable" in opened) throw new Error(opened.unavailable);
      plane = opened.plane;
      return "open";
    }
    case "apply": {
      const begun = performance.now();
      const applied = (await plane?.apply(command.routes)) ?? [];
      return { states: applied.map(({ state, why }) => `${state}: ${why}`), ms: performance.now() - begun };
    }
    case "watch":
      clearInterval(watching);
      await plane?.apply(command.routes);
      watching = setInterval(() => {
        if (plane?.outdated()) void plane.apply(command.routes);
      }, 250);
      return "watching";
    case "planeState":
      return plane?.counters;
    case "closePlane":
      await plane?.close();
      return "closed";
  }
}

if (import.meta.main)
  for await (const line of createInterface({ input: process.stdin })) {
    void obey(JSON.parse(line) as HelperCommand).then(
      (value) => console.log(JSON.stringify({ value })),
      (error) => console.log(JSON.stringify({ error: String(error) })),
    );
  }
