import { expect, test } from "bun:test";
import { LeaseClock } from "../../../lib/store/sqlite/leaseClock.ts";

test("a lease is due at its TTL after the last renewal, not before", () => {
  const clock = new LeaseClock();
  clock.start("a", 1000, 0);
  expect(clock.due(999)).toEqual([]);
  expect(clock.due(1000)).toEqual(["a"]);
  expect(clock.renew("a", 900)).toBe(1000);
  expect(clock.due(1899)).toEqual([]);
  expect(clock.due(1900)).toEqual(["a"]);
  clock.end("a");
  expect(clock.renew("a", 1900)).toBe("expired");
  expect(clock.due(9999)).toEqual([]);
});

test("a stall longer than half the TTL is given back, a shorter one is not", () => {
  const clock = new LeaseClock();
  clock.start("short", 1000, 0);
  clock.start("long", 10_000, 0);
  clock.postpone(3000);
  expect(clock.due(3999)).toEqual([]);
  expect(clock.due(4000)).toEqual(["short"]);
  expect(clock.isDue("long", 10_000)).toBe(true);
});
