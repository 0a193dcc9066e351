import { fstatSync } from "node:fs";

const memoryDevices = 1;

/**
 * Whether stdout (1) or stderr (2) is a terminal. Asks the descriptor first: only `process.stdout` itself knows for sure,
 * but to touch it loads streams and sockets (4 MB, 2 ms), which a server with a pipe or file there never needs.
 */
export function isTerminal(fd: 1 | 2): boolean {
  try {
    const stat = fstatSync(fd);
    // Pipes, files, and /dev/null with its kin (major 1).
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === memoryDevices) return false;
  } catch {
    // Closed.
    return false;
  }
  return (fd === 1 ? process.stdout : process.stderr).isTTY === true;
}
