import { readdirSync, readFileSync } from "node:fs";
import { ffi, ffiAvailable } from "../runtime/ffi.ts";

const settleMs = 1000;
const WNOHANG = 1;

/**
 * As PID 1 (a container's only process) we inherit the children of processes that ended before them, and nothing but us
 * can clear their remains. The runtimes wait for their own children only (seen on Bun 1.4.5: orphans stay zombies), so
 * after each SIGCHLD, zombies of ours that have stayed for a second, which own children never do, are waited for.
 * Without FFI (Deno) nothing portable can: there, run such containers with `docker run --init`.
 */
export function reapOrphans(): void {
  if (process.pid !== 1 || !ffiAvailable || process.platform !== "linux") return;
  let seen = new Set<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    timer = undefined;
    const now = zombiesOf(1);
    await reap(now.filter((pid) => seen.has(pid)));
    seen = new Set(now.filter((pid) => !seen.has(pid)));
    if (seen.size > 0) soon();
  };
  const soon = () => {
    timer ??= setTimeout(() => void look(), settleMs);
    timer.unref();
  };
  process.on("SIGCHLD", soon);
}

async function reap(pids: readonly number[]): Promise<void> {
  if (pids.length === 0) return;
  const libc = (await ffi()).open("libc.so.6", { waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" } });
  for (const pid of pids) libc.waitpid(pid, null, WNOHANG);
}

/** Processes that have ended and that `parent` has not waited for. */
function zombiesOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isZombieOf(parent, name))
    .map(Number);
}

function isZombieOf(parent: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in brackets may hold anything: what counts comes after the last one.
    const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(ppid) === parent;
  } catch {
    // Gone between the listing and the reading.
    return false;
  }
}
