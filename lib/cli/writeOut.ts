import { writeSync } from "node:fs";
import { isTerminal } from "./isTerminal.ts";

const pause = new Int32Array(new SharedArrayBuffer(4));

/** What is drawn at the bottom of the terminal now, and must make room for lines. */
export interface Drawn {
  erase(): string;
  redraw(): string;
}

let drawn: Drawn | undefined;

/** Keeps `next` below all that is written from now on; undefined when it is gone. */
export function keepBelow(next: Drawn | undefined): void {
  drawn = next;
}

/** Whether something is drawn now. */
export function isDrawn(): boolean {
  return drawn !== undefined;
}

/** A line or more to stdout (1) or stderr (2), above what is drawn. @returns as `writeAll`. */
export function writeText(fd: 1 | 2, text: string): boolean {
  if (drawn === undefined || !isTerminal(fd)) return writeAll(fd, text);
  return writeAll(fd, `${drawn.erase()}${text}${drawn.redraw()}`);
}

// A pipe's reader has left, a terminal was hung up, the descriptor was closed; stdout may also be a socket.
const goneCodes = new Set(["EPIPE", "EIO", "EBADF", "ECONNRESET", "ENOTCONN"]);

/**
 * Writes everything to a descriptor before it returns, so that nothing is lost at exit and a slow reader slows us down
 * instead of filling our memory.
 * @returns false when the reader has gone.
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
      else if (code !== undefined && goneCodes.has(code)) return false;
      else if (code !== "EINTR") throw error;
    }
  }
  return true;
}
