import { readdirSync, readFileSync } from "node:fs";

/** One process as /proc shows it. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  /** One letter: R, S, D, T (stopped), Z (ended, not yet reaped) ... */
  state: string;
  /** Clock ticks since boot: with the pid it names a process for good, since pids are used again. */
  startTime: string;
}

/** The process, or `undefined` when there is none with this pid. See proc(5), /proc/pid/stat. */
export function processEntry(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in brackets and may hold spaces and brackets itself: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid, state: fields[0] ?? "?", parent: Number(fields[1]), startTime: fields[19] ?? "" };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** True while the process runs; one that ended but is not reaped (a zombie) does not. */
export function isRunning(pid: number): boolean {
  const state = processEntry(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** All processes whose command line or cgroup holds one of `needles`, this process excepted. */
export function processesNaming(needles: string[]): number[] {
  if (needles.length === 0) return [];
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || !isRunning(pid)) continue;
    const text = readText(`/proc/${pid}/cmdline`) + readText(`/proc/${pid}/cgroup`);
    if (needles.some((needle) => text.includes(needle))) found.push(pid);
  }
  return found;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process ended between the listing and the read
  }
}
