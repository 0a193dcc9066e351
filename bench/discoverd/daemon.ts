import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { Daemon } from "../../test/testbed/daemon.ts";
import { freePort } from "../../test/testbed/freePort.ts";
import { scratchDir } from "../../test/testbed/scratch.ts";
import { goFirst } from "./processes.ts";

/** A discoverd under measure: the built binary, on a SQLite file that is durable. */
export interface Discoverd {
  url: string;
  port: number;
  dir: string;
  daemon: Daemon;
  status(): Promise<{ rev: number; instances: number; services: number; brake: number }>;
  memory(): Memory;
  stop(): Promise<void>;
}

/** MB of 10^6 bytes. */
export interface Memory {
  rss: number;
  anonymous: number;
  peak: number;
}

const binary = process.env.DISCOVERD ?? resolve(import.meta.dirname, "../../dist/discoverd");

export async function startDiscoverd(flags: readonly string[] = []): Promise<Discoverd> {
  if (!existsSync(binary)) throw new Error(`there is no ${binary}: bun build.ts discoverd`);
  const dir = scratchDir();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const words = ["serve", "--listen", `127.0.0.1:${port}`, "--store", `sqlite:${join(dir, "state.db")}`, ...flags];
  const daemon = Daemon.of({
    name: "discoverd",
    argv: ["prlimit", "--nofile=20000:20000", binary, ...words],
    logFile: join(dir, "log"),
    ready: async () => (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1000) })).ok,
  });
  const stop = async () => {
    await daemon.stop(3000);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await daemon.start();
    goFirst(daemon.pid);
  } catch (error) {
    await stop();
    throw error;
  }
  const status = async () => (await (await fetch(`${url}/status`)).json()) as Awaited<ReturnType<Discoverd["status"]>>;
  return { url, port, dir, daemon, status, memory: () => memoryOf(daemon.pid), stop };
}

function memoryOf(pid: number): Memory {
  const kB = (file: string, name: string) => {
    const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
    return Number(((Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) * 1024) / 1e6).toFixed(1));
  };
  return { rss: kB("smaps_rollup", "Rss"), anonymous: kB("smaps_rollup", "Anonymous"), peak: kB("status", "VmHWM") };
}

/** What is left when nothing is under way: the least of what is seen in so many seconds. */
export async function settledMemory(discoverd: Discoverd, seconds: number): Promise<Memory> {
  let least = discoverd.memory();
  for (let n = 0; n < seconds * 2; n++) {
    await Bun.sleep(500);
    const now = discoverd.memory();
    if (now.rss <= least.rss) least = now;
  }
  return least;
}
