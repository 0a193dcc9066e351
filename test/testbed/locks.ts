import { dlopen, FFIType } from "bun:ffi";
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
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
  const path = join(lockDir, `${name}.lock`);
  const fd = openSync(path, "a"); // node opens with O_CLOEXEC: no child inherits the lock
  if (libc.symbols.flock(fd, LOCK_EX | LOCK_NB) !== 0 || !isFile(fd, path)) {
    closeSync(fd);
    return undefined;
  }
  let isHeld = true;
  return {
    release: () => {
      if (!isHeld) return; // once only: the descriptor may be another file's by now
      isHeld = false;
      rmSync(path, { force: true }); // while it is still locked: who opened it meanwhile sees that it is gone
      closeSync(fd);
    },
  };
}

/** Removes the files of locks that nobody holds: a process that ends without releasing leaves the file, though not the lock. */
export function removeFreeLocks(): void {
  mkdirSync(lockDir, { recursive: true });
  for (const file of readdirSync(lockDir)) {
    if (file.endsWith(".lock")) tryLock(file.slice(0, -".lock".length))?.release();
  }
}

/** False when the file was removed by its last holder between our open and our lock. */
function isFile(fd: number, path: string): boolean {
  return fstatSync(fd).ino === statSync(path, { throwIfNoEntry: false })?.ino;
}
