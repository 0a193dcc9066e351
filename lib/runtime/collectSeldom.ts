import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { runtime } from "./runtime.ts";

/**
 * What the runtime reads as it starts, and only then. It would collect garbage once a second while the program does anything, with a
 * helper thread for each processor: 2 to 3 ms, in the middle of whatever comes next. Left are the collections that its memory needs.
 */
const variables = { BUN_GC_TIMER_DISABLE: "1", BUN_JSC_numberOfGCMarkers: "1" };

/**
 * Leaves it to the program when garbage is collected ({@link collectGarbage}, {@link youngCollector}): for one that does little, and
 * that at moments that matter. A compiled program starts anew in its own process for it (execve(2), 13 ms): to be called before it
 * opens anything. Does nothing for a script, on other runtimes, and for a program that was given open files beside the first three, as by
 * `<(command)` in a shell: they would not survive. Variables that are set already stay as they are; children inherit them.
 */
export function collectSeldom(): void {
  if (runtime !== "bun" || !Bun.main.startsWith("/$bunfs/")) return;
  if (Object.keys(variables).every((name) => process.env[name] !== undefined)) return;
  try {
    if (wasGivenFiles()) return;
    // What the kernel was given: `process.argv` may have been changed since.
    const words = readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1);
    process.execve?.(process.execPath, words, { ...variables, ...process.env });
  } catch {
    // No /proc, its file is gone, or nothing may be executed here: collections only come at worse moments.
  }
}

/** The runtime marks them to be closed by execve, as it does its own; those have no path. */
function wasGivenFiles(): boolean {
  return readdirSync("/proc/self/fd").some((fd) => {
    if (Number(fd) <= 2) return false;
    try {
      return !readlinkSync(`/proc/self/fd/${fd}`).startsWith("anon_inode:");
    } catch {
      // That of the listing itself.
      return false;
    }
  });
}
