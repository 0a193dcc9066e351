import { expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { pause } from "../../../lib/time/pause.ts";

test("it ends after its time, or with the signal, and leaves nothing at the signal", async () => {
  const stop = new AbortController();
  const started = performance.now();
  await pause(20, stop.signal);
  expect(performance.now() - started).toBeGreaterThanOrEqual(19);
  expect(getEventListeners(stop.signal, "abort")).toEqual([]);

  const long = pause(60_000, stop.signal);
  stop.abort();
  await long;
  expect(getEventListeners(stop.signal, "abort")).toEqual([]);
  await pause(60_000, stop.signal); // aborted already
});
