import { collectGarbage } from "../../lib/runtime/collectGarbage.ts";
import { releaseStartPages } from "../../lib/runtime/releaseStartPages.ts";
import type { Registrator } from "./startRegistrator.ts";

/** It is quiet when nothing was written for so long, in ms. */
const quietMs = 2000;
/** Writes that leave something behind; below it the runtime's own collections do. */
const much = 50;
/** What lists and inspects leave behind is collected this often, in ms. */
const everyMs = 60_000;

/** Hands memory back once it is quiet: the runtime would keep what a burst left behind until it happens to need it. */
export async function settleMemory(registrator: Registrator, signal: AbortSignal): Promise<void> {
  let events = 0;
  let quiet: ReturnType<typeof setTimeout> | undefined;
  const settle = () => {
    collectGarbage();
    // What that freed is handed back by the next one.
    quiet = setTimeout(() => {
      quiet = undefined;
      collectGarbage();
    }, quietMs);
    quiet.unref?.();
  };
  const settleAfterWork = () => {
    if (events >= much) void releaseStartPages();
    events = 0;
    settle();
  };
  const periodic = setInterval(() => {
    if (quiet === undefined) settle();
  }, everyMs);
  periodic.unref?.();
  for await (const _ of registrator.events(signal)) {
    events++;
    clearTimeout(quiet);
    quiet = setTimeout(settleAfterWork, quietMs);
    quiet.unref?.();
  }
  clearTimeout(quiet);
  clearInterval(periodic);
}
