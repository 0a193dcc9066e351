import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Change, eventsOf, WatchBuffer } from "../../../lib/store/watchBuffer.ts";

const put = (key: string, rev: number): Change => ({
  type: "put",
  entry: { key, value: new Uint8Array(0), createRev: rev, modRev: rev },
});
const gone = (key: string, rev: number): Change => ({ type: "delete", key, rev });

test("keeps the last change of each key, in the order of those", async () => {
  const buffer = new WatchBuffer();
  buffer.push([put("a", 1), put("b", 1)], 1);
  buffer.push([gone("a", 2)], 2);
  expect(await buffer.take()).toEqual({ changes: [put("b", 1), gone("a", 2)], rev: 2, lost: false });
});

test("forgets all above its limit and says so; a snapshot makes it whole again", async () => {
  const buffer = new WatchBuffer(2);
  expect(buffer.push([put("a", 1), put("b", 1)], 1)).toBe(true);
  expect(buffer.push([put("c", 2)], 2)).toBe(false);
  expect(buffer.push([put("d", 3)], 3)).toBe(false);
  expect(await buffer.take()).toMatchObject({ changes: [], lost: true });
  const snapshot = { rev: 3, entries: [] };
  buffer.reset(snapshot);
  buffer.push([put("e", 4)], 4);
  expect(await buffer.take()).toEqual({ snapshot, changes: [put("e", 4)], rev: 4, lost: false });
});

test("take waits; end wakes it, empties it, calls back and is final", async () => {
  const buffer = new WatchBuffer();
  const waiting = buffer.take();
  let ended = 0;
  buffer.onEnd(() => ended++);
  buffer.onEnd(() => ended++)();
  buffer.end();
  expect(await waiting).toBeUndefined();
  expect(ended).toBe(1);
  buffer.push([put("a", 1)], 1);
  expect(await buffer.take()).toBeUndefined();
  await buffer.taken();
});

test("taken resolves when the consumer has taken", async () => {
  const buffer = new WatchBuffer();
  buffer.push([put("a", 1)], 1);
  let resolved = false;
  const taken = buffer.taken().then(() => {
    resolved = true;
  });
  await Promise.resolve();
  expect(resolved).toBe(false);
  await buffer.take();
  await taken;
  expect(resolved).toBe(true);
});

test("whatever is pushed and whenever it is taken, the consumer ends at the same state", async () => {
  const step = fc.record({ key: fc.constantFrom("a", "b", "c", "d", "e"), del: fc.boolean(), take: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step), fc.integer({ min: 1, max: 6 }), async (steps, limit) => {
      const buffer = new WatchBuffer(limit);
      const truth = new Map<string, number>();
      let seen = new Map<string, number>();
      let rev = 0;
      const takeAll = async () => {
        const batch = await buffer.take();
        if (!batch) return;
        if (batch.lost) seen = new Map(truth); // what a re-read gives
        for (const event of eventsOf(batch, () => false)) {
          if (event.type === "put") seen.set(event.entry.key, event.entry.modRev);
          if (event.type === "delete") seen.delete(event.key);
        }
      };
      for (const { key, del, take } of steps) {
        rev++;
        if (del) truth.delete(key);
        else truth.set(key, rev);
        buffer.push([del ? gone(key, rev) : put(key, rev)], rev);
        if (take) await takeAll();
      }
      buffer.push([], rev);
      await takeAll();
      expect(seen).toEqual(truth);
    }),
  );
});
