import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Discovery, Instance, InstanceState } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { collect, fold, instanceAt } from "./helpers.ts";

const service = fc.constantFrom("web", "db");
const instance = fc
  .record({ n: fc.integer({ min: 1, max: 5 }), meta: fc.constantFrom(undefined, { v: "1" }, { v: "2" }) })
  .map(({ n, meta }) => instanceAt(`10.0.0.${n}:80`, meta));
const on = fc.integer({ min: 0, max: 1 });
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant("add"), service, on, manual: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("remove"), service, on }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant("register"), service, on, instance }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("deregister"), service, on, instance }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("lead"), service, on, instance }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("state"),
      service,
      on,
      instance,
      state: fc.constantFrom("up", "warning", "down", "maintenance"),
      byCheck: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("batch"), service, on, instance, another: instance }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("meta"), service, on, instance, named: fc.boolean() }) },
);
type Step = {
  state?: string;
  byCheck?: boolean;
  another?: Instance;
  op: string;
  service: string;
  on: number;
  instance?: Instance;
  manual?: boolean;
  named?: boolean;
};

async function run(
  engine: Discovery,
  { op, service: name, instance: one, manual, named, state, byCheck, another }: Step,
): Promise<void> {
  try {
    if (op === "add") await engine.addService(name, { leader_type: manual ? "manual" : "oldest" });
    else if (op === "remove") await engine.removeService(name);
    else if (!one) return;
    else if (op === "register") await engine.register(name, one);
    else if (op === "deregister") await engine.deregister(name, one.id);
    else if (op === "state") {
      const change = { state: state as InstanceState, reason: "r", by: byCheck ? "check" : "operator" } as const;
      await engine.setState(name, one.id, change);
    } else if (op === "batch") {
      await engine.registerAll([one, another ?? one].map((instance) => ({ service: name, instance })));
    } else if (op === "lead") await engine.setLeader(name, one.id);
    else {
      const index = (await engine.meta(name))?.index ?? 0;
      await engine.setMeta(name, { data: index, index, ...(named ? { leader_id: one.id } : {}) });
    }
  } catch (error) {
    // Refusals are part of the game; anything else is not.
    if (!(error instanceof DiscoveryError) || error.status >= 500) throw error;
  }
}

test("whatever is done through two daemons of one store: both end equal, and so do their watchers", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, together) => {
      const store = await openStore("memory:");
      const engines = await Promise.all([openEngine(store), openEngine(store)]);
      const stop = new AbortController();
      const names = ["web", "db"];
      const watches = engines.map((engine) =>
        names.map((name) => collect(engine.watch(name, { signal: stop.signal }))),
      );
      try {
        const work = steps.map((one) => () => run(engines[one.on] ?? engines[0], one));
        if (together) await Promise.all(work.map((act) => act()));
        else for (const act of work) await act();

        const stateOf = (engine: (typeof engines)[number]) =>
          names.map((name) => ({
            instances: engine.instances(name) ?? [],
            leader: engine.leader(name)?.instance.id,
            token: engine.leader(name)?.fencingToken,
            meta: engine.meta(name),
          }));
        const believed = (seen: (typeof watches)[number]) =>
          seen.map(({ events }) => {
            const { instances, leader } = fold(events);
            return { instances, leader };
          });
        const shown = (engine: (typeof engines)[number]) =>
          stateOf(engine).map(({ instances, leader }) => ({ instances, leader }));
        await waitFor(
          () => {
            const [first, second] = engines;
            expect(stateOf(second)).toEqual(stateOf(first));
            for (const [i, seen] of watches.entries()) expect(believed(seen)).toEqual(shown(engines[i] ?? first));
            return true;
          },
          { what: "both daemons and all watchers to agree", deadlineMs: 3000 },
        );
        for (const { events } of watches.flat()) {
          const tokens = events.flatMap(({ fencingToken }) => fencingToken ?? []);
          expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
        }
      } finally {
        stop.abort();
        await Promise.all(engines.map((engine) => engine.close()));
        await store.close();
      }
    }),
    { numRuns: 300 },
  );
}, 60_000);
