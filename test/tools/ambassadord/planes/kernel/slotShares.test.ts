import { expect, test } from "bun:test";
import fc from "fast-check";
import { slotShares } from "../../../../../tools/ambassadord/planes/kernel/slotShares.ts";

test.each([
  [[1], [64]],
  [
    [1, 1, 1],
    [22, 21, 21],
  ],
  [
    [2, 1, 1],
    [32, 16, 16],
  ],
  [
    [1, 0, 3],
    [16, 0, 48],
  ],
  [
    [1000, 1],
    [63, 1],
  ],
  [
    [0, 0],
    [0, 0],
  ],
  [[], []],
] as const)("%j shares 64 slots as %j", (weights, shares) => {
  expect(slotShares(weights, 64)).toEqual([...shares]);
});

test("all slots are given, nobody with a weight is left out, shares are exact within rounding", () => {
  const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(weights, (given) => {
      const shares = slotShares(given, 64);
      const total = given.reduce((sum, weight) => sum + weight, 0);
      if (total === 0) return shares.every((share) => share === 0);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(64);
      for (const [index, weight] of given.entries()) expect((shares[index] ?? 0) > 0).toBe(weight > 0);
      const exact = given.map((weight) => (weight / total) * 64);
      // Where nobody's share is below one slot, each is its exact share rounded down or up.
      if (exact.every((share) => share === 0 || share >= 1))
        for (const [index, share] of exact.entries()) expect(Math.abs((shares[index] ?? 0) - share)).toBeLessThan(1);
    }),
  );
});
