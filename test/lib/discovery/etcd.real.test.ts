import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { type Etcd, startEtcd } from "../../testbed/etcd.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { collect, fold, instanceAt } from "./helpers.ts";

const a = instanceAt("10.0.0.1:80");
const b = instanceAt("10.0.0.2:80");
const undo: (() => unknown)[] = [];

/** A daemon's engine on its own connection, as in a process of its own. */
async function open(url: string, options: EngineOptions = {}): Promise<Engine> {
  const store = await openStore(`etcd://${url.replace("http://", "")}`);
  const engine = await openEngine(store, { leaseTtlMs: 3000, startWaitMs: 5000, ...options });
  undo.unshift(async () => {
    await engine.close();
    await store.close();
  });
  return engine;
}

afterEach(async () => {
  for (const step of undo.splice(0)) await step();
}, 20_000);

describe.each(["3.4", "3.7"] as const)("two daemons on etcd %s", (version) => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd({ version });
  }, 300_000);
  afterAll(() => etcd.stop());

  test("agree on services, instances, leaders, metadata, and on each other", async () => {
    const [one, two] = await Promise.all([
      open(etcd.url, { address: "10.0.0.1:1111" }),
      open(etcd.url, { address: "10.0.0.2:1111" }),
    ]);
    const stop = new AbortController();
    const seen = collect(two.watch("web", { signal: stop.signal }));
    await one.addService("web");
    await one.register("web", a);
    await waitFor(() => two.instances("web")?.length === 1, { what: "the second to see it" });
    await two.register("web", b);
    await one.setMeta("web", { data: { v: 1 }, index: 0 });
    await two.register("web", { ...a, meta: { v: "2" } });
    await one.deregister("web", b.id);
    await waitFor(() => two.instances("web")?.length === 1 && one.instances("web")?.[0]?.meta?.v === "2", {
      what: "both to see the end",
    });
    expect(two.instances("web")).toEqual(one.instances("web") ?? []);
    expect(two.leader("web")).toEqual(one.leader("web"));
    await waitFor(() => two.meta("web")?.index === one.meta("web")?.index, { what: "the same meta" });
    expect(fold(seen.events).instances).toEqual(one.instances("web") ?? []);
    await waitFor(() => one.daemons().length === 2, { what: "both to know each other" });
    expect(one.daemons()).toEqual(two.daemons());
    await one.removeService("web");
    await waitFor(() => two.instances("web") === undefined, { what: "the service to be gone" });
    stop.abort();
  }, 30_000);

  test("a heartbeat that moves to the other daemon keeps the instance when the first one dies", async () => {
    const [one, two] = await Promise.all([open(etcd.url), open(etcd.url)]);
    await one.addService("moved");
    await one.register("moved", a);
    await one.register("moved", b);
    const index = one.instances("moved")?.[0]?.index;
    await waitFor(() => two.instances("moved")?.length === 2, { what: "the second to see both" });
    await two.register("moved", a);
    await one.close(); // its lease is left to run out, as when the process dies
    const start = performance.now();
    await waitFor(() => two.instances("moved")?.length === 1, {
      what: "the other to go with its lease",
      deadlineMs: 9000,
    });
    expect(performance.now() - start).toBeGreaterThan(1000);
    expect(two.instances("moved")?.[0]).toEqual({ ...a, index: index ?? 0 });
    await two.removeService("moved");
  }, 30_000);

  test("etcd gone for a while: reads go on and say that they are stale, heartbeats are taken, writes fail; then all is as before", async () => {
    const one = await open(etcd.url, { writeTimeoutMs: 1000 });
    await one.addService("stays");
    await one.register("stays", a);
    const before = one.instances("stays");
    const stop = new AbortController();
    const seen = collect(one.watch("stays", { signal: stop.signal }));
    await etcd.nodes[0]?.daemon.kill();
    await waitFor(() => one.status().stale, { what: "reads to be called stale", deadlineMs: 20_000 });
    expect(one.status().reason).toBeString();
    expect(one.instances("stays")).toEqual(before ?? []);
    await one.register("stays", a);
    await expect(one.register("stays", b)).rejects.toThrow(expect.objectContaining({ code: "service_unavailable" }));
    await etcd.nodes[0]?.daemon.start();
    await waitFor(() => !one.status().stale, { what: "the store to be back", deadlineMs: 20_000 });
    const beat = setInterval(() => void one.register("stays", a).catch(() => undefined), 500);
    await waitFor(() => one.register("stays", b).then(() => true), {
      what: "writes to work again",
      deadlineMs: 20_000,
    });
    expect(one.instances("stays")?.map(({ addr }) => addr)).toContain(a.addr);
    expect(fold(seen.events).instances).toEqual(one.instances("stays") ?? []);
    clearInterval(beat);
    stop.abort();
    await one.removeService("stays");
  }, 90_000);
});

test("etcd not there at the start: not ready, refuses writes as unavailable, and goes on by itself when it comes", async () => {
  const etcd = await startEtcd();
  undo.push(() => etcd.stop());
  await etcd.nodes[0]?.daemon.kill();
  const engine = await open(etcd.url, { startWaitMs: 200, writeTimeoutMs: 1000 });
  expect(engine.ready).toBe(false);
  expect(engine.status()).toMatchObject({ ready: false, stale: true });
  expect(engine.services()).toEqual([]);
  await expect(engine.register("web", a)).rejects.toThrow(expect.objectContaining({ code: "service_unavailable" }));
  const stop = new AbortController();
  const seen = collect(engine.watch("web", { signal: stop.signal }));
  await etcd.nodes[0]?.daemon.start();
  await waitFor(() => engine.ready, { what: "the engine to be ready", deadlineMs: 30_000 });
  await waitFor(() => seen.short().includes("current"), { what: "the watch to be current" });
  await waitFor(() => engine.addService("web").then(() => true), { what: "writes to work", deadlineMs: 20_000 });
  stop.abort();
}, 90_000);
