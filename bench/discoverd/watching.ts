import { join } from "node:path";
import type { Consul } from "../../test/testbed/consul.ts";
import type { WatchersOptions } from "../discoverdWatchers.ts";
import { addServices, crowd, send } from "./crowd.ts";
import { type Discoverd, settledMemory, startDiscoverd } from "./daemon.ts";
import { type Figures, quantile, spread, told } from "./figures.ts";
import { cpuMs, daemonOf } from "./processes.ts";

/** What {@link Watchers.change} saw: ms from before the change was sent until a watcher had read it. */
interface Seen {
  first: number;
  last: number;
  /** Of the process that watches. */
  cpuMs: number;
}

interface Watchers {
  change(): Promise<Seen>;
  stop(): Promise<void>;
}

/** A process with that many watchers; returns when all of them wait. */
async function startWatchers(options: WatchersOptions): Promise<Watchers> {
  const script = join(import.meta.dirname, "..", "discoverdWatchers.ts");
  const child = Bun.spawn(["prlimit", "--nofile=20000:20000", process.execPath, script, JSON.stringify(options)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  const next = async () => {
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error("the watchers hang")), 60_000).unref(),
    );
    const { value, done } = await Promise.race([lines.next(), late]);
    if (done) throw new Error("the watchers ended");
    return JSON.parse(value) as Record<string, number>;
  };
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  try {
    await next();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    async change() {
      child.stdin.write("\n");
      await child.stdin.flush();
      const { first = 0, last = 0, seen, cpuMs = 0 } = await next();
      if (seen !== options.count) throw new Error(`${seen} of ${options.count} watchers saw the change`);
      return { first, last, cpuMs };
    },
    stop,
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

const instancesEach = 5;

/** A service of ours with some instances, of which one changes. */
async function ourService(ours: Discoverd, at: number): Promise<{ service: string; change: string }> {
  const members = crowd(instancesEach, 1, at * instancesEach).map((one) => ({ ...one, service: `service-${at}` }));
  for (const { service, id, addr } of members) {
    await send(ours.url, `PUT /services/${service}/instances/${id} ${JSON.stringify({ id, addr, proto: "tcp" })}`);
  }
  const [{ service, id, addr } = { service: "", id: "", addr: "" }] = members;
  const body = JSON.stringify({ id, addr, proto: "tcp", meta: { n: "MARK" } });
  return { service, change: `PUT /services/${service}/instances/${id} ${body}` };
}

/** From a change to the last of 1,000 watchers: our streams, blocking queries at our Consul face and at Consul, by turns. */
export async function watch(
  consul: Consul,
  { rounds, changes }: { rounds: number; changes: number },
): Promise<Figures> {
  const count = 1000;
  const consulDaemon = daemonOf(consul);
  const ours = await startDiscoverd(["--ttl", "1h"]);
  const started: Watchers[] = [];
  try {
    await addServices(ours, 2);
    const [forStream, forFace] = [await ourService(ours, 0), await ourService(ours, 1)];
    const consulBody = (id: string, meta: object) => {
      const service = { ID: id, Service: "watched", Address: "10.0.0.1", Port: 8080, Meta: meta };
      return `PUT /v1/catalog/register ${JSON.stringify({ Node: "bench", Address: "127.0.0.1", Service: service })}`;
    };
    for (let n = 0; n < instancesEach; n++) await send(consul.url, consulBody(`w${n}`, {}));
    const watchers = async (options: Omit<WatchersOptions, "count">) => {
      const one = await startWatchers({ ...options, count });
      started.push(one);
      return one;
    };
    const consulPort = Number(new URL(consul.url).port);
    const kinds = {
      stream: await watchers({
        port: ours.port,
        kind: "stream",
        path: `/services/${forStream.service}`,
        change: forStream.change,
      }),
      face: await watchers({
        port: ours.port,
        kind: "blocking",
        path: `/v1/health/service/${forFace.service}`,
        change: forFace.change,
      }),
      consul: await watchers({
        port: consulPort,
        kind: "blocking",
        path: "/v1/health/service/watched",
        change: consulBody("w0", { n: "MARK" }),
      }),
    };
    for (const one of Object.values(kinds)) for (let n = 0; n < 3; n++) await one.change();
    const last: Record<keyof typeof kinds, number[][]> = { stream: [], face: [], consul: [] };
    const cpu = { stream: none(), face: none(), consul: none() };
    for (let round = 0; round < rounds; round++) {
      for (const all of Object.values(last)) all.push([]);
      for (let n = 0; n < changes; n++) {
        for (const kind of ["stream", "face", "consul"] as const) {
          const { pid } = kind === "consul" ? consulDaemon : ours.daemon;
          const before = cpuMs(pid);
          const seen = await kinds[kind].change();
          last[kind].at(-1)?.push(seen.last);
          cpu[kind].server += (cpuMs(pid) - before) / (rounds * changes);
          cpu[kind].watchers += seen.cpuMs / (rounds * changes);
        }
      }
    }
    const times = (kind: keyof typeof last) => {
      const all = last[kind].flat();
      return { p50: short(quantile(all, 0.5)), p99: short(quantile(all, 0.99)), max: short(Math.max(...all)) };
    };
    const p99 = (kind: keyof typeof last, round: number) => quantile(last[kind][round] ?? [], 0.99);
    const ratio = (kind: "stream" | "face") => {
      const rounded = spread(last[kind].map((_, round) => p99(kind, round) / p99("consul", round)));
      return { ...rounded, whole: short(times(kind).p99 / times("consul").p99) };
    };
    const [stream, face] = [ratio("stream"), ratio("face")];
    const ms = { stream: times("stream"), face: times("face"), consul: times("consul") };
    const seenOf = (kind: "stream" | "face", { whole, ...rest }: typeof stream) =>
      `${whole}: ${ms[kind].p99} ms to ${ms.consul.p99} ms; by rounds ${told(rest)}`;
    return {
      rows: [
        {
          what: "change to last of 1,000 streams, p99, to Consul's",
          asked: "<= 0.2",
          seen: seenOf("stream", stream),
          held: stream.whole <= 0.2,
        },
        {
          what: "the same, blocking reads at our Consul face",
          asked: "<= 0.5",
          seen: seenOf("face", face),
          held: face.whole <= 0.5,
        },
      ],
      lastMs: ms,
      ratios: { stream, face },
      changes: rounds * changes,
      /** For each change, in ms. */
      cpu,
    };
  } finally {
    for (const one of started) await one.stop();
    await ours.stop();
  }
}

/** 10,000 streams of one service, and what they cost. */
export async function crowdOfWatchers({ changes }: { changes: number }): Promise<Figures> {
  const count = 10_000;
  const ours = await startDiscoverd(["--ttl", "1h"]);
  try {
    await addServices(ours, 1);
    const { service, change } = await ourService(ours, 0);
    const path = `/services/${service}`;
    const idle = await settledMemory(ours, 4);
    const watchers = await startWatchers({ port: ours.port, count, kind: "stream", path, change });
    try {
      const connected = await settledMemory(ours, 10);
      const seen: Seen[] = [];
      for (let n = 0; n < changes; n++) {
        seen.push(await watchers.change());
        await Bun.sleep(300);
      }
      const after = await settledMemory(ours, 5);
      const apart = spread(seen.map(({ first, last }) => last - first));
      const rss = Math.max(connected.rss, after.rss);
      return {
        rows: [
          {
            what: "10,000 streams, one change: last after the first, ms",
            asked: "<= 150",
            seen: told(apart),
            held: apart.median <= 150,
          },
          { what: "RSS with 10,000 streams, MB", asked: "<= 80", seen: `${rss}`, held: rss <= 80 },
        ],
        memoryMB: { idle, connected, after },
        lastMs: spread(seen.map(({ last }) => last)),
      };
    } finally {
      await watchers.stop();
    }
  } finally {
    await ours.stop();
  }
}

const short = (value: number) => Number(value.toPrecision(3));

const none = () => ({ server: 0, watchers: 0 });
