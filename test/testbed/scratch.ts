import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processEntry } from "./procfs.ts";

/** Every directory of the testbed is `PREFIX-<owner's pid>-<number>` in the system's temporary directory. */
export const scratchPrefix = "qs";
/** The file in it that tells the owner's start time, since pids are used again. */
export const ownerFile = "owner";

let made = 0;

/**
 * A new directory for one server's data, sockets and logs. Its path is short, since a unix socket's path has at most 107 bytes.
 * What a dead owner left is removed by `sweepLeftovers`.
 */
export function scratchDir(): string {
  for (;;) {
    const dir = join(tmpdir(), `${scratchPrefix}-${process.pid}-${++made}`);
    try {
      mkdirSync(dir, { mode: 0o755 });
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw error;
    }
    writeFileSync(join(dir, ownerFile), processEntry(process.pid)?.startTime ?? "");
    return dir;
  }
}
