import { expect, test } from "bun:test";
import { Heartbeats } from "../../../../tools/registrator/reconcile/heartbeats.ts";

test("a registry may know only after it was read that its entries expire", async () => {
  const registry: { heartbeatMs?: number } = {};
  const heartbeats = new Heartbeats(registry);
  heartbeats.begin();
  expect(heartbeats.dueAt).toBe(Number.POSITIVE_INFINITY);
  registry.heartbeatMs = 5;
  heartbeats.begin();
  expect(heartbeats.dueAt).toBeLessThanOrEqual(Date.now() + 5);
  while (Date.now() < heartbeats.dueAt) await Bun.sleep(1);
  expect([...heartbeats.waiting(() => ["a", "b"])]).toEqual(["a", "b"]);
  heartbeats.done("a");
  expect([...heartbeats.waiting(() => ["a", "b", "c"])]).toEqual(["b"]);
});
