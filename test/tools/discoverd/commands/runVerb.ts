import { join } from "node:path";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { createDiscoveryClient } from "../../../../lib/discovery/client/createDiscoveryClient.ts";
import { type Discoverd, type DiscoverdOptions, startDiscoverd } from "../../../../tools/discoverd/startDiscoverd.ts";

const tool = join(import.meta.dir, "../../../../tools/discoverd.ts");

/** A discoverd in this process, on memory, and a client of it. */
export async function startDaemon(options: Partial<DiscoverdOptions> = {}) {
  const daemon: Discoverd = await startDiscoverd({
    store: "memory:",
    listen: { hostname: "127.0.0.1", port: 0 },
    scriptChecks: true,
    log: silentLogger,
    ...options,
  });
  const client = createDiscoveryClient({ url: daemon.url });
  return {
    ...daemon,
    client,
    stop: async () => {
      await client.close();
      await daemon.close();
    },
  };
}

/** `discoverd ARGS` as a process; its output grows. */
export function startVerb(url: string, args: readonly string[], options: { stdin?: string; cwd?: string } = {}) {
  const child = Bun.spawn([process.execPath, tool, ...args], {
    env: { ...process.env, DISCOVERD: url, EXTERNAL_IP: "127.0.0.1", NO_COLOR: "1" },
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
    stdout: "pipe",
    stderr: "pipe",
    ...(options.cwd ? { cwd: options.cwd } : {}),
  });
  const seen = { stdout: "", stderr: "" };
  const reading = Promise.all(
    (["stdout", "stderr"] as const).map(async (name) => {
      const decoder = new TextDecoder();
      for await (const chunk of child[name]) seen[name] += decoder.decode(chunk, { stream: true });
    }),
  );
  return {
    child,
    seen,
    get lines() {
      return seen.stdout.split("\n").filter((line) => line !== "");
    },
    end: async () => {
      const code = await child.exited;
      await reading;
      return { code, ...seen };
    },
  };
}

/** `discoverd ARGS` to its end. */
export function runVerb(url: string, args: readonly string[], options: { stdin?: string; cwd?: string } = {}) {
  return startVerb(url, args, options).end();
}
