import { writeSync } from "node:fs";

const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes everything to a descriptor before it returns, so that nothing is lost at exit and a slow reader slows us down
 * instead of filling our memory.
 * @returns false when the reader has gone (EPIPE).
 */
export function writeAll(fd: number, text: string): boolean {
  let bytes = Buffer.from(text);
  while (bytes.byteLength > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      const { code } = error as { code?: string };
      // Another process may have made our shared terminal or pipe non-blocking.
      if (code === "EAGAIN") Atomics.wait(pause, 0, 0, 5);
      else if (code === "EPIPE" || code === "EIO" || code === "EBADF") return false;
      else if (code !== "EINTR") throw error;
    }
  }
  return true;
}
