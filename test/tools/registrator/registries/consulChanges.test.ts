import { expect, test } from "bun:test";
import { consulChanges } from "../../../../tools/registrator/registries/consul/consulChanges.ts";

test("what another changed is told at once; what came with writes of ours, when they are over", async () => {
  const ending = new AbortController();
  let answer: (index: string) => void = () => {};
  let asked: PromiseWithResolvers<void> = Promise.withResolvers();
  const wait = (path: string) => {
    const index = new URL(path, "http://consul").searchParams.get("index");
    if (index === null) return Promise.resolve("1");
    const { promise, resolve } = Promise.withResolvers<string>();
    answer = resolve;
    asked.resolve();
    return promise;
  };
  let writes = 0;
  /** In ms; `meanwhile` happens in each. */
  let rests: number[] = [];
  let meanwhile = () => {};
  const rest = async (ms: number) => {
    rests.push(ms);
    meanwhile();
  };
  const changes = consulChanges(
    async () => JSON.stringify({ Config: { NodeName: "n1" } }),
    { wait, writes: () => writes, rest },
    ending.signal,
  )[Symbol.asyncIterator]();
  /** How long it rested before it told. */
  const told = async (index: string, during = () => {}) => {
    const next = changes.next();
    await asked.promise;
    asked = Promise.withResolvers();
    rests = [];
    meanwhile = during;
    answer(index);
    expect(await next).toEqual({ done: false, value: undefined });
    meanwhile = () => {};
    return rests;
  };

  expect(await told("2")).toEqual([]);
  writes += 2;
  expect(await told("3")).toEqual([500]);
  // One more write of ours while it waits for them to be over.
  writes++;
  let more = 1;
  const once = () => {
    writes += more;
    more = 0;
  };
  expect(await told("4", once)).toEqual([500, 500]);
  expect(await told("5")).toEqual([]);
  // They never are: it looks all the same.
  writes++;
  expect(await told("6", () => writes++)).toEqual([500, 500, 500, 500, 500, 500, 20, 20]);
  // A moment after one was made, but not without end.
  writes++;
  let rested = 0;
  const often = () => {
    if (++rested <= 6 || rested === 10) writes++;
  };
  expect(await told("7", often)).toEqual([500, 500, 500, 500, 500, 500, 20, 20, 20, 20, 20]);
  writes++;
  rested = 0;
  const atLast = () => {
    if (++rested <= 6) writes++;
  };
  expect(await told("8", atLast)).toEqual([500, 500, 500, 500, 500, 500, ...Array.from({ length: 25 }, () => 20)]);
  ending.abort();
  answer("8");
  expect((await changes.next()).done).toBe(true);
});
