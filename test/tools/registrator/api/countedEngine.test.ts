import { expect, test } from "bun:test";
import type { WatchedEngine } from "../../../../lib/docker/createContainerWatcher.ts";
import { countedEngine } from "../../../../tools/registrator/api/countedEngine.ts";

test("each event is told by its action, whatever it is, and goes on unchanged; the stream can be closed", async () => {
  const events = [
    { Action: "start" },
    { Action: "exec_create: sh -c x" },
    { Action: "Ä" },
    {},
    null,
    "die",
    { Action: 1 },
  ];
  let closed = false;
  const engine = {
    events: async () => ({
      async *[Symbol.asyncIterator]() {
        yield* events;
      },
      close: () => {
        closed = true;
      },
    }),
  } as unknown as WatchedEngine;
  const told: string[] = [];
  const stream = await countedEngine(engine, (action) => told.push(action)).events();
  expect(await Array.fromAsync(stream)).toEqual(events);
  expect(told).toEqual(["start", "exec_create", "other", "other", "other", "other", "other"]);
  stream.close();
  expect(closed).toBe(true);
});
