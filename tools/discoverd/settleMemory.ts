import { readFileSync } from "node:fs";
import process from "node:process";
import { collectGarbage } from "../../lib/runtime/collectGarbage.ts";
import { releaseStartPages } from "../../lib/runtime/releaseStartPages.ts";
import { Settling } from "./settling.ts";

const lookMs = 2000;

/**
 * Hands memory back after work that is over: the runtime would keep what a load of registrations or connections left behind until
 * it happens to need it, and the code that they needed stays resident. Waits until it is quiet again.
 */
export function settleMemory(count: () => number, signal: AbortSignal): void {
  const settling = new Settling(count());
  let lastCpu = process.cpuUsage();
  const look = async () => {
    const { user, system } = process.cpuUsage();
    const cpuShare = (user + system - lastCpu.user - lastCpu.system) / (lookMs * 1000);
    lastCpu = { user, system };
    const found = settling.look({ at: performance.now(), count: count(), cpuShare, fileBytes: residentFileBytes() });
    if (!found) return;
    if (found === "all") collectGarbage();
    await releaseStartPages();
    settling.released(residentFileBytes());
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
