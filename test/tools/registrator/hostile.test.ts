import { expect, test } from "bun:test";
import { checkHostile } from "./checkHostile.ts";

test("20,000 hostile containers: none crashes, forges a stamp, or touches its neighbour; all ways out are taken", () => {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= 20_000; seed++) {
    const outcome = checkHostile(seed);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["left out", "refused", "registered", "unreadable"]);
  expect(counts.get("registered")).toBeGreaterThan(1000);
}, 120_000);
