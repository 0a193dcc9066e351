import { spawn } from "node:child_process";
import type { Context } from "../../../lib/cli/index.ts";
import { ServiceSet } from "../../../lib/discovery/client/serviceSet.ts";
import type { Discovery } from "../../../lib/discovery/discovery.ts";

/** Changes that come together are one. */
const settleMs = 50;

/**
 * Runs a shell command with a service's state: now, and after each change. What changes while it runs makes one more run. The state
 * is JSON on its stdin, and in short in DISCOVERD_SERVICE, DISCOVERD_ADDRS (usable ones, by age, with spaces) and DISCOVERD_LEADER.
 */
export async function runOnChange(
  context: Context,
  discovery: Discovery,
  service: string,
  command: string,
): Promise<void> {
  const { signal, log } = context;
  const set = new ServiceSet(discovery, service);
  let changed = true;
  set.onChange(() => {
    changed = true;
  });
  let last: string | undefined;
  try {
    while (!signal.aborted) {
      await set.until(() => changed, signal);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      changed = false;
      const { instances, leader, usable } = set;
      const state = JSON.stringify({ service, instances, leader: leader ?? null });
      if (state === last) continue;
      last = state;
      const env = {
        ...context.env,
        DISCOVERD_SERVICE: service,
        DISCOVERD_ADDRS: usable.map(({ addr }) => addr).join(" "),
        DISCOVERD_LEADER: leader?.addr ?? "",
      };
      const code = await run(command, state, env, signal);
      if (code !== 0 && !signal.aborted) log.warn("the command failed; it runs again on the next change", { code });
    }
  } finally {
    set.close();
  }
}

/** In a group of its own, which is ended as a whole when we are stopped. */
function run(
  command: string,
  input: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", command], {
      stdio: ["pipe", "inherit", "inherit"],
      env: { ...env },
      detached: true,
    });
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      } catch {
        // It has just ended.
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    child.once("error", reject);
    child.once("exit", (code) => {
      signal.removeEventListener("abort", kill);
      resolve(code ?? 1);
    });
    child.stdin.on("error", () => undefined); // it need not read its stdin
    child.stdin.end(`${input}\n`);
  });
}
