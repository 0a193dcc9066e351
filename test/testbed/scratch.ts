import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processEntry, processesNaming } from "./procfs.ts";
import { mountsBelow } from "./traces.ts";

/** Every directory of the testbed is `PREFIX-<owner's pid>-<number>` in the system's temporary directory. */
export const scratchPrefix = "qs";
/** The file in it that tells the owner's start time, since pids are used again. */
export const ownerFile = "owner";

/** The file in it that names the network of hosts it stands for, so that a sweep can remove it. */
export const networkFile = "network";

const made: string[] = [];
let number = 0;

/**
 * A new directory for one server's data, sockets and logs. Its path is short, since a unix socket's path has at most 107 bytes.
 * What a dead owner left is removed by `sweepLeftovers`.
 */
export function scratchDir(): string {
  for (;;) {
    const dir = join(tmpdir(), `${scratchPrefix}-${process.pid}-${++number}`);
    try {
      mkdirSync(dir, { mode: 0o755 });
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") continue;
      throw error;
    }
    writeFileSync(join(dir, ownerFile), processEntry(process.pid)?.startTime ?? "");
    made.push(dir);
    return dir;
  }
}

/**
 * Removes the directories that this test file made, where only files are left in them. One with a process, a mount or a network
 * is left as it is: something was not stopped, and the sweep after the file tells.
 */
export function removeScratchDirs(): void {
  for (const dir of made.splice(0)) {
    const inUse =
      list(dir).includes(networkFile) || mountsBelow(dir).length > 0 || processesNaming([`${dir}/`]).length > 0;
    if (!inUse) rmSync(dir, { recursive: true, force: true });
  }
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // removed by the test itself
  }
}
