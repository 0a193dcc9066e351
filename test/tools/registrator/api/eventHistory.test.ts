import { expect, test } from "bun:test";
import { eventHistory } from "../../../../tools/registrator/api/eventHistory.ts";
import { EventBroadcast } from "../../../../tools/registrator/eventBroadcast.ts";

async function filled(count: number, limit: number) {
  const source = new EventBroadcast<number>();
  const history = eventHistory(source.events(new AbortController().signal), limit);
  const ids: string[] = [];
  const stop = new AbortController();
  const live = history.events(undefined, stop.signal)[Symbol.asyncIterator]();
  for (let i = 1; i <= count; i++) {
    const next = live.next();
    source.send(i);
    const { value } = await next;
    ids.push(value.id);
  }
  stop.abort();
  return { source, history, ids };
}

async function take(events: AsyncIterable<unknown>, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const event of events) {
    found.push(event);
    if (found.length === count) break;
  }
  return found;
}

test("what came after an id is given again, then what comes", async () => {
  const { source, history, ids } = await filled(5, 3);
  const resumed = take(history.events(ids[2], new AbortController().signal), 3);
  await Promise.resolve();
  source.send(6);
  expect(await resumed).toMatchObject([{ event: 4 }, { event: 5 }, { event: 6 }]);
  const again = await take(history.events(ids[2], new AbortController().signal), 3);
  expect(again).toMatchObject([{ event: 4 }, { event: 5 }, { event: 6 }]);
});

test("an id that is too old, of another run, or nonsense makes a gap", async () => {
  const { history, ids } = await filled(5, 3);
  for (const id of [ids[0], "other-1", `${ids[4]}0`, "", "x".repeat(256), `${ids[4]?.split("-")[0]}-1.5`]) {
    const [first] = await take(history.events(id, new AbortController().signal), 1);
    expect(first).toMatchObject({ id: ids[4], gap: expect.any(String) });
  }
});

test("ends when its source ends", async () => {
  const { source, history } = await filled(1, 3);
  const reading = take(history.events(undefined, new AbortController().signal), 9);
  source.end();
  expect(await reading).toEqual([]);
});
