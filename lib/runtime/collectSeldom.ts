import { runtime } from "./runtime.ts";

/**
 * What the runtime reads as it starts, and only then. It would collect garbage once a second while the program does anything, with a
 * helper thread for each processor: 2 to 3 ms, in the middle of whatever comes next. Left are the collections that its memory needs.
 */
const variables = { BUN_GC_TIMER_DISABLE: "1", BUN_JSC_numberOfGCMarkers: "1" };

/**
 * Leaves it to the program when garbage is collected ({@link collectGarbage}, {@link youngCollector}): for one that does little, and
 * that at moments that matter. A compiled program starts anew in its own process for it (execve(2), 13 ms): to be called before it
 * opens anything. Does nothing for a script, and on other runtimes. Variables that are set already stay as they are; children inherit them.
 */
export function collectSeldom(): void {
  if (runtime !== "bun" || !Bun.main.startsWith("/$bunfs/")) return;
  if (Object.keys(variables).every((name) => process.env[name] !== undefined)) return;
  try {
    process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], { ...variables, ...process.env });
  } catch {
    // Its file is gone, or nothing may be executed here: collections only come at worse moments.
  }
}
