import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuMs } from "./processes.ts";

export interface LoadOptions {
  url: string;
  /** "METHOD PATH BODY", sent in turn. */
  requests: readonly string[];
  connections: number;
  seconds: number;
  /** Each at most once: give more than can be sent in that time. Default: from the start again. */
  once?: boolean;
  /** Where the file of requests is put. */
  dir: string;
  /** The server's. */
  pid: number;
}

export interface LoadResult {
  requests: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** The server's CPU time for each, user and system: the one figure that neighbours on the machine hardly change. */
  cpuUs: number;
}

/** Load by wrk (Debian), one thread, keep-alive, no pipelining. @throws {Error} when requests were refused or connections broke. */
export async function wrk(options: LoadOptions): Promise<LoadResult> {
  const file = join(options.dir, "requests.txt");
  writeFileSync(file, options.requests.join("\n"));
  const script = join(import.meta.dirname, "load.lua");
  const words = [
    "-t1",
    `-c${options.connections}`,
    `-d${options.seconds}`,
    "--timeout",
    "20",
    "-s",
    script,
    options.url,
  ];
  const before = cpuMs(options.pid);
  const child = Bun.spawn(["wrk", ...words], {
    env: { ...process.env, REQUESTS: file, ONCE: options.once ? "1" : "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  const json = /RESULT (.*)/.exec(text)?.[1];
  if (json === undefined) throw new Error(`wrk failed: ${text}`);
  const { requests, us, refused, broken, p50Us, p99Us } = JSON.parse(json) as Record<string, number>;
  if (refused || broken) throw new Error(`${options.url}: ${refused} requests refused, ${broken} broken`);
  const rounded = (value: number) => Number(value.toFixed(2));
  return {
    requests: requests ?? 0,
    perSecond: Math.round(((requests ?? 0) * 1e6) / (us ?? 1)),
    p50Ms: rounded((p50Us ?? 0) / 1000),
    p99Ms: rounded((p99Us ?? 0) / 1000),
    cpuUs: rounded(((cpuMs(options.pid) - before) * 1000) / (requests ?? 1)),
  };
}
