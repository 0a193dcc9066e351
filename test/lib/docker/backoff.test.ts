import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoff } from "../../../lib/docker/backoff.ts";

test("backoff grows from half of the first wait to the cap, and never beyond", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1, max: 1e6 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, random) => {
        const ms = backoff(attempt, { random: () => random });
        expect(ms).toBeGreaterThanOrEqual(50);
        expect(ms).toBeLessThanOrEqual(5000);
        expect(backoff(attempt + 1, { random: () => random })).toBeGreaterThanOrEqual(ms);
      },
    ),
  );
  expect(backoff(3, { random: () => 0 })).toBe(400);
  expect(backoff(99, { capMs: 1000, random: () => 0.5 })).toBe(750);
});
