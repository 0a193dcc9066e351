import { afterEach, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { collect } from "./helpers.ts";
import { config, progress, put, registered, reset, toldEngine } from "./toldStore.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

async function engineTold(...args: Parameters<typeof toldEngine>) {
  const told = await toldEngine(...args);
  undo.push(told.close);
  await waitFor(() => told.engine.ready, { what: "the first state" });
  const shows = (service: string, ...addresses: string[]) =>
    waitFor(
      () =>
        told.engine
          .instances(service)
          ?.map(({ addr }) => addr)
          .join() === addresses.join(),
      {
        what: `${service}: ${addresses.join()}`,
      },
    );
  return { ...told, shows };
}

/** The events up to "current", or the first `count`, of a watch that begins now. */
async function first(engine: Engine, { from, count }: { from?: number; count?: number } = {}) {
  const watching = new AbortController();
  undo.unshift(() => watching.abort());
  const options = { signal: watching.signal, ...(from === undefined ? {} : { from }) };
  const { events, short } = collect(engine.watch("web", options));
  await waitFor(() => (count ? events.length >= count : events.at(-1)?.kind === "current"), { what: "the events" });
  return short();
}

const web = (rev: number, ...addresses: string[]) =>
  reset(rev, config("web", 1), ...addresses.map((addr, i) => registered("web", addr, rev - i)));

test("a store that was replaced, and has come to the same revision: watchers get its state, not that of before", async () => {
  const { engine, tell, shows } = await engineTold(web(10, "10.0.0.1:80"), { ordered: true });
  expect(await first(engine)).toEqual(["up 10.0.0.1:80", "leader 10.0.0.1:80", "current"]);
  await tell(reset(3, config("web", 3)), put(registered("web", "10.0.0.2:80", 10)), progress(10));
  await shows("web", "10.0.0.2:80");
  const state = ["up 10.0.0.2:80", "leader 10.0.0.2:80", "current"];
  expect(await first(engine)).toEqual(state);
  // Its numbers are of another life: what was missed cannot be told.
  expect(await first(engine, { from: 9 })).toEqual(state);
  expect(await first(engine, { from: 10 })).toEqual(state);
});

test("a store that was replaced: who waits is woken, also where the index is the very same number", async () => {
  const { engine, tell, shows } = await engineTold(web(10, "10.0.0.1:80"), { ordered: true });
  await tell(put(registered("web", "10.0.0.2:80", 20)), progress(50));
  await shows("web", "10.0.0.1:80", "10.0.0.2:80");
  const known = engine.index("web");
  expect(known).toBe(20);
  const epoch = engine.epoch();
  const waiting = engine.changed("web", known, { timeoutMs: 5000 });
  await tell(reset(20, config("web", 1), registered("web", "10.0.0.3:80", 20)));
  const now = await waiting;
  await shows("web", "10.0.0.3:80");
  expect(now).not.toBe(known);
  expect(engine.epoch()).not.toBe(epoch);
  expect(await engine.changed("web", known, { timeoutMs: 5000 })).toBe(now); // at once
});

test("a store that went back: what did not change has no index of its future, for which nobody could wait", async () => {
  const { engine, tell, shows } = await engineTold(web(10, "10.0.0.1:80"), { ordered: true });
  const extra = registered("web", "10.0.0.2:80", 20);
  await tell(put(extra), progress(20), { type: "delete", key: extra.key, rev: 30 }, progress(30));
  await shows("web", "10.0.0.1:80");
  await waitFor(() => engine.index("web") === 30, { what: "the delete" });
  await tell(reset(15, config("web", 1), registered("web", "10.0.0.1:80", 10)));
  await waitFor(() => engine.status().rev === 15, { what: "the older state" });
  const now = engine.index("web");
  expect(now).toBe(15);
  const waiting = engine.changed("web", now, { timeoutMs: 5000 }); // and not at once, with what is known
  await tell(put(registered("web", "10.0.0.3:80", 16)), progress(16));
  expect(await waiting).toBe(16);
});

test("a store whose state differs at the very same revision: who waits is woken, who resumes gets the difference", async () => {
  const { engine, tell, shows } = await engineTold(web(10, "10.0.0.1:80"), { ordered: true });
  const known = engine.index("web");
  await tell(web(10, "10.0.0.2:80"));
  await shows("web", "10.0.0.2:80");
  expect(await engine.changed("web", known, { timeoutMs: 1 })).toBeGreaterThan(known);
  expect(await first(engine, { from: 10, count: 3 })).toEqual([
    "up 10.0.0.2:80",
    "down 10.0.0.1:80",
    "leader 10.0.0.2:80",
  ]);
});

test("several steps of one revision (ZooKeeper, Consul): each wakes who waits, and none is lost to who resumes", async () => {
  const { engine, tell, shows } = await engineTold(web(10, "10.0.0.1:80"), { ordered: false });
  const addresses = ["10.0.0.1:80"];
  for (let i = 2; i < 6; i++) {
    const known = engine.index("web");
    const waiting = engine.changed("web", known, { timeoutMs: 1000 });
    addresses.push(`10.0.0.${i}:80`);
    // Read before the others of their time, which are still to come: all that is known to be whole is what was.
    await tell(put(registered("web", `10.0.0.${i}:80`, 10 + i)), progress(10));
    await shows("web", ...addresses);
    expect(await waiting).toBeGreaterThan(known);
    expect(await engine.changed("web", known, { timeoutMs: 1 })).toBeGreaterThan(known);
  }
  expect(engine.status().rev).toBe(10);
  const missed = [2, 3, 4, 5].map((i) => `up 10.0.0.${i}:80`);
  expect(await first(engine, { from: 10, count: 4 })).toEqual(missed);
  expect(await first(engine)).toEqual(["up 10.0.0.1:80", ...missed, "leader 10.0.0.1:80", "current"]);
  // The numbers of what comes later are the store's own again.
  await tell(put(registered("web", "10.0.0.9:80", 30)), progress(30));
  await shows("web", ...addresses, "10.0.0.9:80");
  expect(engine.index("web")).toBe(30);
});

test("several steps of one revision: the list of services, and services that come and go, too", async () => {
  const { engine, tell } = await engineTold(web(10, "10.0.0.1:80"), { ordered: false });
  const indexes = () => [engine.index(undefined), engine.index("db")] as const;
  const key = config("db", 11).key;
  for (const event of [put(config("db", 11)), { type: "delete", key, rev: 10 } as const, put(config("db", 12))]) {
    const [list, db] = indexes();
    const waiting = [
      engine.changed(undefined, list, { timeoutMs: 1000 }),
      engine.changed("db", db, { timeoutMs: 1000 }),
    ];
    await tell(event, progress(10));
    const [newList = 0, newDb = 0] = await Promise.all(waiting);
    expect(newList).toBeGreaterThan(list);
    expect(newDb).toBeGreaterThan(db);
  }
});
