import { expect, test } from "bun:test";
import { planOf } from "../../../../tools/registrator/reconcile/planOf.ts";
import type { Entry } from "../../../../tools/registrator/registries/registry.ts";

const entry = (key: string, owner: string, containerId: string): Entry => ({
  key,
  owner,
  containerId,
  containerName: "web",
  service: "web",
  address: "10.0.0.9:80",
  fingerprint: `${owner} ${key}`,
  payload: undefined,
});
const byKey = (...entries: Entry[]) => new Map(entries.map((each) => [each.key, each]));
const service = "9mnpnzenvg8p8tdbtq4wvbkcz";

test("who leads a Swarm takes over what the last leader wrote for its services, and nothing else of that one", () => {
  const ours = entry("b:web:80", "engine-b@b", service);
  const actual = byKey(
    entry("a:web:80", "engine-a@a", service),
    entry("a:old:80", "engine-a@a", "x0x0x0x0x0x0x0x0x0x0x0x0x"),
    entry("a:web-1:80", "engine-a@a", "4f".repeat(32)),
    entry("by-hand", "", service),
  );
  const desired = { owner: "engine-b@b", entries: byKey(ours), keep: new Set<string>() };
  expect(planOf(desired, actual).steps.map(({ kind, entry: { key } }) => `${kind} ${key}`)).toEqual([
    "deregister a:web:80",
    "register b:web:80",
  ]);

  // Where a service has one key, whoever leads: it is written over.
  const same = byKey(entry("b:web:80", "engine-a@a", service));
  expect(planOf(desired, same)).toMatchObject({ steps: [{ kind: "register", entry: ours }], refused: new Map() });
  // One that no longer leads wants none of them, and takes out its own alone.
  expect(planOf({ ...desired, entries: new Map() }, same).steps).toEqual([]);
});

test("two engines that claim one address: the first keeps it", () => {
  const id = "4f".repeat(32);
  const desired = { owner: "b@b", entries: byKey(entry("10.0.0.9:80", "b@b", id)), keep: new Set<string>() };
  const plan = planOf(desired, byKey(entry("10.0.0.9:80", "a@a", id)));
  expect(plan.steps).toEqual([]);
  expect(plan.refused.get("10.0.0.9:80")).toContain("engine a@a");
});
