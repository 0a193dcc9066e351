import { expect, test } from "bun:test";
import { Lag } from "../../../../tools/registrator/reconcile/lag.ts";
import type { Step } from "../../../../tools/registrator/reconcile/planOf.ts";

const step = (containerId: string) => ({ kind: "register", entry: { containerId } }) as Step;

test("from the oldest event that no write answered; a list's changes and events without a write have none", () => {
  const lag = new Lag();
  lag.saw({ changed: new Set(["a"]), eventAt: Date.now() - 500 });
  lag.saw({ changed: new Set(["a", "b"]), eventAt: Date.now() - 100 });
  lag.saw({ changed: new Set(["c"]) });
  const took = lag.take(step("a")) ?? 0;
  expect(took).toBeGreaterThanOrEqual(500);
  expect(took).toBeLessThan(5000);
  expect(lag.take(step("a"))).toBeUndefined();
  expect(lag.take(step("c"))).toBeUndefined();
  lag.clear();
  expect(lag.take(step("b"))).toBeUndefined();
});

test("an engine whose clock is ahead makes no lag below 0", () => {
  const lag = new Lag();
  lag.saw({ changed: new Set(["a"]), eventAt: Date.now() + 10_000 });
  expect(lag.take(step("a"))).toBe(0);
});
