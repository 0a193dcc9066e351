import { expect, test } from "bun:test";
import { inLanes } from "./inLanes.ts";

test("as many at a time as there are lanes, in order; what wants to be alone comes last, one after the other", async () => {
  const started: string[] = [];
  const most = { shared: 0, alone: 0 };
  let running = 0;
  const isAlone = (item: string) => item === item.toUpperCase();
  await inLanes(["a", "B", "c", "d", "E", "f"], { lanes: 2, alone: isAlone }, async (item) => {
    started.push(item);
    running++;
    const kind = isAlone(item) ? "alone" : "shared";
    most[kind] = Math.max(most[kind], running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
  });
  expect(started).toEqual(["a", "c", "d", "f", "B", "E"]);
  expect(most).toEqual({ shared: 2, alone: 1 });
});

test("an error ends it", async () => {
  const failing = inLanes([1, 2], { lanes: 1, alone: () => false }, async (item) => {
    throw new Error(`item ${item}`);
  });
  expect(failing).rejects.toThrow("item 1");
});
