import { collectGarbage } from "../../lib/runtime/collectGarbage.ts";
import { releaseStartPages } from "../../lib/runtime/releaseStartPages.ts";

const lookMs = 2000;
/** Instances and watchers that came or went: below it the runtime's own collections do. */
const much = 1000;

/**
 * Hands memory back after many have come or gone: the runtime would keep what a load of registrations or connections left behind until
 * it happens to need it. Waits until it is quiet again.
 */
export function settleMemory(count: () => number, signal: AbortSignal): void {
  let settled = count();
  let last = settled;
  const timer = setInterval(() => {
    const now = count();
    if (now === last && Math.abs(now - settled) >= much) {
      settled = now;
      collectGarbage();
      void releaseStartPages();
    }
    last = now;
  }, lookMs);
  timer.unref?.();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
