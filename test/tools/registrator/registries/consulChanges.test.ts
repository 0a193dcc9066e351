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
  const changes = consulChanges(
    async () => JSON.stringify({ Config: { NodeName: "n1" } }),
    { wait, writes: () => writes },
    ending.signal,
  )[Symbol.asyncIterator]();
  /** How long it takes to be told, in ms. */
  const told = async (index: string, meanwhile: () => void = () => {}) => {
    const next = changes.next();
    await asked.promise;
    asked = Promise.withResolvers();
    const began = performance.now();
    answer(index);
    meanwhile();
    expect(await next).toEqual({ done: false, value: undefined });
    return performance.now() - began;
  };

  expect(await told("2")).toBeLessThan(200);
  writes += 2;
  let more: ReturnType<typeof setTimeout> | undefined;
  const late = await told("3", () => {
    more = setTimeout(() => writes++, 300);
  });
  clearTimeout(more);
  expect(late).toBeGreaterThan(900); // two pauses of half a second
  expect(late).toBeLessThan(2500);
  expect(await told("4")).toBeLessThan(200);
  ending.abort();
  answer("4");
  expect((await changes.next()).done).toBe(true);
}, 15_000);
