import { collectGarbage } from "../../lib/runtime/collectGarbage.ts";
import { releaseStartPages } from "../../lib/runtime/releaseStartPages.ts";
import { youngCollector } from "../../lib/runtime/youngCollector.ts";
import type { Registrator } from "./startRegistrator.ts";

/** It is quiet when nothing was written for so long, in ms. */
const quietMs = 2000;
/** Writes that leave something behind; below it the runtime's own collections do. */
const much = 50;
/** After so many writes, what they left is collected at the first calm: the runtime would do it as it allocates, in the middle of a start. */
const some = 6;
/** It is calm when nothing was written for so long, in ms. */
const calmMs = 60;
/** What lists and inspects leave behind is collected this often, in ms. */
const everyMs = 60_000;

/** Hands memory back once it is quiet: the runtime would keep what a burst left behind until it happens to need it. */
export async function settleMemory(registrator: Registrator, signal: AbortSignal): Promise<void> {
  let events = 0;
  // What our own start left is the most.
  let uncollected = some;
  const collectYoung = await youngCollector();
  const calm = timer(calmMs, () => {
    uncollected = 0;
    collectYoung();
  });
  // What this frees is handed back by the next one.
  const again = timer(quietMs, collectGarbage);
  const quiet = timer(quietMs, () => {
    if (events >= much) void releaseStartPages();
    events = 0;
    collectGarbage();
    again.restart();
  });
  const periodic = setInterval(() => {
    if (quiet.isSet || again.isSet) return;
    collectGarbage();
    again.restart();
  }, everyMs);
  periodic.unref?.();
  for await (const _ of registrator.events(signal)) {
    events++;
    calm.stop();
    if (++uncollected >= some) calm.restart();
    again.stop();
    quiet.restart();
  }
  for (const each of [calm, quiet, again]) each.stop();
  clearInterval(periodic);
}

/** Does something once, `ms` after it was last asked to. */
function timer(ms: number, work: () => void): { restart(): void; stop(): void; readonly isSet: boolean } {
  let running: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(running);
    running = undefined;
  };
  return {
    stop,
    restart() {
      stop();
      running = setTimeout(() => {
        running = undefined;
        work();
      }, ms);
      running.unref?.();
    },
    get isSet() {
      return running !== undefined;
    },
  };
}
