import { expect, test } from "bun:test";
import { fuzzApi } from "./fuzzApi.ts";

test("20,000 requests of right, nearly right and wrong pieces: no crash, no failure but the original's own, no growth", async () => {
  const { statuses, heap, engine, watchers } = await fuzzApi(20_000, Date.now());
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405, 409]));
  expect(engine.services).toBeLessThan(20);
  expect(watchers).toBe(0);
  const [early, late] = heap;
  expect(late - early).toBeLessThan(8 << 20);
}, 120_000);
