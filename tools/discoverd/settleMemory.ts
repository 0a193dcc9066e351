import { readFileSync } from "node:fs";
import process from "node:process";
import { collectGarbage } from "../../lib/runtime/collectGarbage.ts";
import { releaseStartPages } from "../../lib/runtime/releaseStartPages.ts";

const lookMs = 2000;
/** Instances and watchers that came or went: below it the runtime's own collections do. */
const much = 1000;
/** Share of one processor below which it is a quiet time. */
const quietShare = 0.1;
/** Pages of the executable that came back by work that is over: handed back from so many bytes on. */
const muchOfFile = 4 << 20;

/**
 * Hands memory back after work that is over: the runtime would keep what a load of registrations or connections left behind until
 * it happens to need it, and the code that they needed stays resident. Waits until it is quiet again.
 */
export function settleMemory(count: () => number, signal: AbortSignal): void {
  let settled = count();
  let last = settled;
  let lastCpu = process.cpuUsage();
  let fileBytes = Number.POSITIVE_INFINITY; // until the start's own pages are handed back (lib/cli)
  const look = async () => {
    const now = count();
    const cpu = process.cpuUsage();
    const isQuiet = cpu.user + cpu.system - lastCpu.user - lastCpu.system < lookMs * 1000 * quietShare;
    const isSettled = now === last && Math.abs(now - settled) >= much;
    [last, lastCpu] = [now, cpu];
    if (isSettled) {
      settled = now;
      collectGarbage();
    }
    const ofFile = residentFileBytes();
    fileBytes = Math.min(fileBytes, ofFile);
    if (!isSettled && !(isQuiet && ofFile - fileBytes > muchOfFile)) return;
    await releaseStartPages();
    fileBytes = residentFileBytes();
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref?.();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/** What is resident of files, above all of the executable; 0 where /proc does not tell. */
function residentFileBytes(): number {
  try {
    const [, , shared] = readFileSync("/proc/self/statm", "latin1").split(" ");
    return Number(shared) * 4096;
  } catch {
    return 0; // another system: nothing is handed back there either
  }
}
