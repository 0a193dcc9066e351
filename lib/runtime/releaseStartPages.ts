import { readFileSync, readlinkSync } from "node:fs";
import { ffi, ffiAvailable } from "./ffi.ts";

/** A stretch of the process's memory, by addresses. */
export interface Mapping {
  start: number;
  end: number;
}

/**
 * The mappings of `executable` that only repeat what stands in its file: not writable, and nothing private in them. Dropped
 * from memory, they come back from the page cache when they are touched (proc_pid_smaps(5)).
 */
export function cleanMappings(smaps: string, executable: string): Mapping[] {
  const clean: Mapping[] = [];
  let current: Mapping | undefined;
  for (const line of smaps.split("\n")) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (head) {
      const [, start = "", end = "", access = "", path] = head;
      const fits = path === executable && !access.includes("w") && access.endsWith("p");
      current = fits ? { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) } : undefined;
    } else if (current && /^Anonymous: +0 kB/.test(line)) clean.push(current);
  }
  return clean;
}

const MADV_DONTNEED = 4;

/**
 * Hands back the pages of the executable that were only needed to start: 10 to 20 MB of a server's resident memory. What is
 * used on comes back by itself, at the cost of a minor fault. Nothing happens where the kernel cannot be called, or says no.
 */
export async function releaseStartPages(): Promise<void> {
  if (!ffiAvailable || process.platform !== "linux") return;
  try {
    const libc = (await ffi()).open("libc.so.6", { madvise: { args: ["u64", "u64", "i32"], returns: "i32" } });
    const smaps = readFileSync("/proc/self/smaps", "utf8");
    for (const { start, end } of cleanMappings(smaps, readlinkSync("/proc/self/exe"))) {
      libc.madvise(start, end - start, MADV_DONTNEED);
    }
  } catch {
    // No /proc, no libc by that name (musl), no right to: memory is only larger.
  }
}
