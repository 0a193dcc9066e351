import { readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import type { Consul } from "../../test/testbed/consul.ts";
import type { Daemon } from "../../test/testbed/daemon.ts";

/**
 * Where this bench runs with `nice -n -20`, the kernel's group of the process gets the same: servers are in sessions of their own, and
 * there a nice value counts only among the session's own processes (sched(7), autogroup).
 */
export function goFirst(pid: number): void {
  const nice = getPriority();
  if (nice >= 0) return;
  const file = `/proc/${pid}/autogroup`;
  try {
    const before = /nice (-?\d+)/.exec(readFileSync(file, "utf8"))?.[1] ?? "0";
    writeFileSync(file, String(nice));
    // The group is that of the whole session: a shell that goes on would starve all others.
    if (pid === process.pid) process.once("exit", () => writeFileSync(file, before));
  } catch (error) {
    console.error(`process ${pid} does not go first: ${error}`);
  }
}

/** CPU time of a process so far, in ms (of 10). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export function daemonOf({ servers }: Consul): Daemon {
  const [server] = servers;
  if (!server) throw new Error("no Consul runs");
  return server.daemon;
}
