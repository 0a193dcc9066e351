import { dlopen, FFIType } from "bun:ffi";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LOCK_EX = 2;
const LOCK_NB = 4;
const libc = dlopen(process.platform === "linux" ? "libc.so.6" : "libc.dylib", {
  flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

/** A lock held by this process; the kernel lets go of it when the process ends, however it ends. */
export interface Lock {
  /** Harmless when called again. */
  release(): void;
}

/** Where the locks of the testbed lie, one for all checkouts on this machine. */
export const lockDir = join(tmpdir(), "quayside-testbed");

/**
 * Takes the machine-wide lock `name`, or returns `undefined` when another holder has it.
 *
 * flock(2) and not a file with a pid in it: no lock is ever stale, so none has to be stolen.
 */
export function tryLock(name: string): Lock | undefined {
  mkdirSync(lockDir, { recursive: true });
  const fd = openSync(join(lockDir, `${name}.lock`), "a"); // node opens with O_CLOEXEC: no child inherits the lock
  if (libc.symbols.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(fd);
    return undefined;
  }
  let isHeld = true;
  return {
    release: () => {
      if (isHeld) closeSync(fd); // once only: the number may be another file's by now
      isHeld = false;
    },
  };
}
