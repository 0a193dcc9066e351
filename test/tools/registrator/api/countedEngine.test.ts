import { expect, test } from "bun:test";
import type { WatchedEngine } from "../../../../lib/docker/createContainerWatcher.ts";
import { countedEngine } from "../../../../tools/registrator/api/countedEngine.ts";

test("each event is told by its action, whatever it is, and goes on unchanged; the stream is the engine's", async () => {
  const events = [
    { Action: "start" },
    { Action: "exec_create: sh -c x" },
    { Action: "Ä" },
    {},
    null,
    "die",
    { Action: 1 },
  ];
  const stream = { ended: Promise.resolve(), close: () => {} };
  const engine = {
    events: async (onEvent: (message: unknown) => void) => {
      for (const event of events) onEvent(event);
      return stream;
    },
  } as unknown as WatchedEngine;
  const told: string[] = [];
  const passed: unknown[] = [];
  const counted = countedEngine(engine, (action) => told.push(action));
  expect(await counted.events((message) => passed.push(message))).toBe(stream);
  expect(passed).toEqual(events);
  expect(told).toEqual(["start", "exec_create", "other", "other", "other", "other", "other"]);
});
