/**
 * Many watchers in one process, by sockets; started by bench/discoverd.ts. `bun bench/discoverdWatchers.ts JSON`, see WatchersOptions.
 * Prints {"ready":N} when all wait; then for each line on stdin makes one change and prints {"first":MS,"last":MS,"seen":N,"cpuMs":MS}:
 * from before the change was sent until the first and the last watcher had read it, and the CPU time that this took here.
 */
import type { Socket } from "bun";

export interface WatchersOptions {
  port: number;
  count: number;
  /** An event stream, or blocking queries as Consul's. */
  kind: "stream" | "blocking";
  /** Of what is watched. */
  path: string;
  /** "METHOD PATH BODY" with MARK in it. */
  change: string;
}

const options = JSON.parse(process.argv[2] ?? "{}") as WatchersOptions;
const { port, count, kind, path, change } = options;

interface Watcher {
  text: string;
  /** Waits for the next change. */
  waits: boolean;
  index: string;
  seen: string;
  waiting: (() => void) | undefined;
}

let mark = "";
let changedAt = 0;
let first = 0;
let last = 0;
let seen = 0;
let allSeen: () => void = () => undefined;

const get = (target: string, accept: string) =>
  `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: ${accept}\r\n\r\n`;

function ask(socket: Socket<Watcher>): void {
  const { index } = socket.data;
  if (kind === "stream") socket.write(get(path, "text/event-stream"));
  else socket.write(get(index === "" ? path : `${path}?index=${index}&wait=300s`, "application/json"));
  if (kind === "blocking" && index !== "") waits(socket.data);
}

function waits(watcher: Watcher): void {
  watcher.waits = true;
  watcher.waiting?.();
  watcher.waiting = undefined;
}

function noticed(watcher: Watcher): void {
  if (mark === "" || watcher.seen === mark || !watcher.text.includes(mark)) return;
  watcher.seen = mark;
  last = performance.now() - changedAt;
  if (seen === 0) first = last;
  seen++;
  if (seen === count) allSeen();
}

function streamed(watcher: Watcher): void {
  noticed(watcher);
  if (!watcher.waits && watcher.text.includes('"kind":"current"')) waits(watcher);
  watcher.text = watcher.text.slice(-100);
}

/** Once the answer is whole, the next question follows, as with any client of blocking queries. */
function answered(socket: Socket<Watcher>): void {
  const watcher = socket.data;
  const end = watcher.text.indexOf("\r\n\r\n");
  if (end < 0) return;
  const head = watcher.text.slice(0, end).toLowerCase();
  const length = /content-length: (\d+)/.exec(head)?.[1];
  const whole =
    length === undefined ? watcher.text.endsWith("0\r\n\r\n") : watcher.text.length >= end + 4 + Number(length);
  if (!whole) return;
  if (!head.startsWith("http/1.1 200")) throw new Error(head);
  noticed(watcher);
  watcher.index = /x-consul-index: (\d+)/.exec(head)?.[1] ?? "";
  watcher.text = "";
  watcher.waits = false;
  ask(socket);
}

async function connect(): Promise<Watcher> {
  const watcher: Watcher = { text: "", waits: false, index: "", seen: "", waiting: undefined };
  const settled = new Promise<void>((resolve) => {
    watcher.waiting = resolve;
  });
  await Bun.connect<Watcher>({
    hostname: "127.0.0.1",
    port,
    data: watcher,
    socket: {
      open: ask,
      data(socket, chunk) {
        socket.data.text += chunk.toString("latin1");
        if (kind === "stream") streamed(socket.data);
        else answered(socket);
      },
      close() {
        console.error("a watcher was cut");
        process.exit(1);
      },
    },
  });
  await settled;
  return watcher;
}

/** Makes the changes; on a connection of its own that stays. */
async function changer(): Promise<(request: string) => void> {
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(_, chunk) {
        const head = chunk.toString("latin1", 0, 12);
        if (head.startsWith("HTTP/") && !head.endsWith("200")) throw new Error(chunk.toString("latin1"));
      },
    },
  });
  return (request) => {
    const [, method = "", target = "", body = ""] = /^(\S+) (\S+) ?(.*)$/.exec(request) ?? [];
    const head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  };
}

const watchers: Watcher[] = [];
while (watchers.length < count) {
  const lot = Math.min(100, count - watchers.length);
  watchers.push(...(await Promise.all(Array.from({ length: lot }, connect))));
}
console.log(JSON.stringify({ ready: watchers.length }));

let changes = 0;
let makeChange: Awaited<ReturnType<typeof changer>> | undefined;
for await (const _line of console) {
  makeChange ??= await changer(); // not before: the server closes a connection that asks nothing for ten seconds
  while (!watchers.every((watcher) => watcher.waits)) await Bun.sleep(5);
  await Bun.sleep(250); // what they asked last has arrived, and whoever was measured before is done with it
  [first, last, seen] = [0, 0, 0];
  mark = `mark-${++changes}-`;
  const done = new Promise<void>((resolve) => {
    allSeen = resolve;
  });
  const cpu = process.cpuUsage();
  changedAt = performance.now();
  makeChange(change.replace("MARK", mark));
  await Promise.race([done, Bun.sleep(10_000)]);
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ first, last, seen, cpuMs: (user + system) / 1000 }));
}
process.exit(0);
