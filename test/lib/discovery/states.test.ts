import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { usableStates } from "../../../lib/discovery/discovery.ts";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { collect, instanceAt } from "./helpers.ts";

let store: Store;
let engine: Engine;
let clock: FakeClock;
const engines: Engine[] = [];
const stop = { now: new AbortController() };
const a = instanceAt("10.0.0.1:80", { v: "1" });
const b = instanceAt("10.0.0.2:80", { v: "2" });
const c = instanceAt("10.0.0.3:80", { v: "1" });

async function open(options: EngineOptions = {}): Promise<Engine> {
  const opened = await openEngine(store, { clock, ...options });
  engines.push(opened);
  return opened;
}

beforeEach(async () => {
  store = await openStore("memory:");
  clock = new FakeClock();
  stop.now = new AbortController();
  engine = await open({ daemonId: "one" });
  await engine.addService("web");
});

afterEach(async () => {
  stop.now.abort();
  await Promise.all(engines.splice(0).map((one) => one.close()));
  await store.close();
});

const shown = (id: string) => engine.instances("web")?.find((instance) => instance.id === id);

describe("states", () => {
  test("the operator's hand goes before the checks'; each is kept until it says something else; heartbeats undo nothing", async () => {
    await engine.register("web", a);
    await engine.setState("web", a.id, { state: "down", reason: "refused", by: "check" });
    expect(shown(a.id)).toMatchObject({ state: "down", reason: "refused" });
    await engine.setState("web", a.id, { state: "maintenance", reason: "disk" });
    await engine.setState("web", a.id, { state: "up", by: "check" });
    expect(shown(a.id)).toMatchObject({ state: "maintenance", reason: "disk" });
    await engine.register("web", a);
    await engine.register("web", { ...a, meta: { v: "9" } });
    expect(shown(a.id)).toMatchObject({ state: "maintenance", meta: { v: "9" } });
    await engine.setState("web", a.id, { state: "up" });
    expect(shown(a.id)).not.toHaveProperty("state");
    const { rev } = engine.status();
    await engine.setState("web", a.id, { state: "up" });
    expect(engine.status().rev).toBe(rev);
  });

  test("refused: states that there are not, the operator's from a check, unknown instances", async () => {
    await engine.register("web", a);
    const set = (state: string, by: "operator" | "check" = "operator") =>
      engine.setState("web", a.id, { state: state as "up", by });
    await expect(set("odd")).rejects.toThrow("state must be one of");
    await expect(set("draining", "check")).rejects.toThrow("the operator's to say");
    await expect(engine.setState("web", b.id, { state: "down" })).rejects.toThrow("not found");
    await expect(engine.setState("web", a.id, { state: "down", reason: "x".repeat(257) })).rejects.toThrow("reason");
  });

  test("what is not usable does not lead; back again it is the last in the queue, with a greater token", async () => {
    for (const one of [a, b]) await engine.register("web", one);
    const first = engine.leader("web")?.fencingToken ?? 0;
    await engine.setState("web", a.id, { state: "draining" });
    const second = engine.leader("web");
    expect(second?.instance.addr).toBe(b.addr);
    await engine.setState("web", a.id, { state: "up" });
    expect(engine.leader("web")?.instance.addr).toBe(b.addr);
    await engine.setState("web", b.id, { state: "down", by: "check" });
    const third = engine.leader("web");
    expect(third?.instance.addr).toBe(a.addr);
    const tokens = [first, second?.fencingToken ?? 0, third?.fencingToken ?? 0];
    expect(tokens).toEqual([...new Set(tokens)].sort((x, y) => x - y));
    await engine.setState("web", a.id, { state: "down" });
    expect(engine.leader("web")).toBeUndefined();
  });

  test("a registration's own state counts while it is new", async () => {
    await engine.register("web", { ...a, state: "down", reason: "not checked yet" });
    expect(shown(a.id)).toMatchObject({ state: "down", reason: "not checked yet" });
    await engine.setState("web", a.id, { state: "up", by: "check" });
    await engine.register("web", { ...a, state: "down" });
    expect(shown(a.id)).not.toHaveProperty("state");
  });

  test("another daemon's instance gets a state without changing hands", async () => {
    const other = await open({ daemonId: "two" });
    await other.register("web", a);
    await engine.setState("web", a.id, { state: "warning", by: "check" });
    expect(engine.instances("web", { detail: true })).toEqual([
      { ...a, index: expect.any(Number), weight: 1, state: "warning", ttl_ms: 10_000, owner: "two" },
    ]);
  });
});

describe("filters", () => {
  test("by meta, state, proto, zone: all that are given hold", async () => {
    await engine.register("web", { ...a, zone: "z1", weight: 5 });
    await engine.register("web", b);
    await engine.register("web", c);
    await engine.setState("web", c.id, { state: "down" });
    const found = (query: Parameters<Engine["instances"]>[1]) =>
      engine.instances("web", query)?.map(({ addr }) => addr);
    expect(found({ meta: { v: "1" } })).toEqual([a.addr, c.addr]);
    expect(found({ meta: { v: "1" }, states: usableStates })).toEqual([a.addr]);
    expect(found({ zone: "z1" })).toEqual([a.addr]);
    expect(found({ proto: "udp" })).toEqual([]);
    expect(found({ meta: { constructor: "x" } })).toEqual([]);
    expect(shown(a.id)).toMatchObject({ zone: "z1", weight: 5 });
  });

  test("a watch with a filter: what begins to pass is up, what no longer does is down", async () => {
    const { short } = collect(
      engine.watch("web", {
        signal: stop.now.signal,
        kinds: ["up", "update", "down"],
        filter: { states: usableStates },
      }),
    );
    await engine.register("web", { ...a, state: "down" });
    await engine.setState("web", a.id, { state: "up", by: "check" });
    await engine.setState("web", a.id, { state: "warning", by: "check" });
    await engine.setState("web", a.id, { state: "maintenance" });
    await engine.deregister("web", a.id);
    await settle();
    expect(short()).toEqual(["current", `up ${a.addr}`, `update ${a.addr}`, `down ${a.addr}`]);
  });
});

describe("waiting", () => {
  test("a service's index moves with it alone; a waiting reader is woken by nothing else", async () => {
    await engine.addService("db");
    const before = engine.index("web");
    let woken: number | undefined;
    const waiting = engine.changed("web", before, { timeoutMs: 60_000 }).then((index) => {
      woken = index;
    });
    await engine.register("db", a);
    await settle();
    expect([engine.index("web"), woken]).toEqual([before, undefined]);
    await engine.register("web", a);
    await waiting;
    expect(woken).toBe(engine.index("web"));
    expect(engine.index("web")).toBeGreaterThan(before);
  });

  test("an absent service is waited for, whatever else comes and goes; a removed one has a greater index", async () => {
    const absent = engine.index("later");
    let woken = false;
    const waiting = engine.changed("later", absent, { timeoutMs: 60_000 }).then(() => {
      woken = true;
    });
    await engine.addService("db");
    await engine.removeService("db");
    await settle();
    expect([woken, engine.index("later")]).toEqual([false, absent]);
    await engine.addService("later");
    await waiting;
    const there = engine.index("later");
    await engine.removeService("later");
    expect(engine.index("later")).toBeGreaterThan(there);
  });

  test("an index of the future is answered at once; a time that is over with what is; a signal ends the wait", async () => {
    const index = engine.index("web");
    expect(await engine.changed("web", 1_000_000, { timeoutMs: 60_000 })).toBe(index);
    expect(await engine.changed("web", index, { timeoutMs: 0 })).toBe(index);
    const leave = new AbortController();
    const waiting = engine.changed("web", index, { timeoutMs: 60_000, signal: leave.signal });
    leave.abort();
    expect(await waiting).toBe(index);
  });

  test("the list of services has an index too", async () => {
    const before = engine.index(undefined);
    await engine.setMeta("web", { data: 1, index: 0 });
    expect(engine.index(undefined)).toBe(before);
    const waiting = engine.changed(undefined, before, { timeoutMs: 60_000 });
    await engine.register("web", a);
    expect(await waiting).toBeGreaterThan(before);
  });
});

describe("many at once", () => {
  test("each has an index of its own, and its own outcome", async () => {
    const many = Array.from({ length: 300 }, (_, n) => instanceAt(`10.1.${n >> 8}.${n & 255}:80`));
    const outcomes = await engine.registerAll([
      ...many.map((instance) => ({ service: "web", instance })),
      { service: "none", instance: a },
      { service: "web", instance: { ...b, id: "x" } },
      { service: "web", instance: a, options: { ttlMs: 1 } },
    ]);
    expect(outcomes.slice(0, 300).every((outcome) => outcome === undefined)).toBe(true);
    expect(outcomes.slice(300).map((outcome) => outcome?.code)).toEqual([
      "object_not_found",
      "validation_error",
      "validation_error",
    ]);
    const instances = engine.instances("web") ?? [];
    expect(instances).toHaveLength(300);
    expect(new Set(instances.map(({ index }) => index)).size).toBe(300);
  });

  test("again it is only heartbeats; twice the same in one batch ends as the last says", async () => {
    await engine.registerAll([a, b].map((instance) => ({ service: "web", instance })));
    const { rev } = engine.status();
    expect(await engine.registerAll([a, b].map((instance) => ({ service: "web", instance })))).toEqual([
      undefined,
      undefined,
    ]);
    expect(engine.status().rev).toBe(rev);
    await engine.registerAll(["3", "4"].map((v) => ({ service: "web", instance: { ...a, meta: { v } } })));
    expect(shown(a.id)?.meta).toEqual({ v: "4" });
  });

  test("heartbeats by id keep alive, tell who is unknown, and write nothing", async () => {
    await clock.advance(10_000);
    await engine.registerAll([a, b].map((instance) => ({ service: "web", instance })));
    const { rev } = engine.status();
    for (let second = 0; second < 15; second++) {
      await clock.advance(1000);
      expect(engine.heartbeat("web", [a.id, "nobody"])).toEqual(["nobody"]);
    }
    expect(shown(a.id)).toBeDefined();
    expect(shown(b.id)).toBeUndefined();
    expect(engine.status().rev).toBe(rev + 1); // b's removal
    expect(() => engine.heartbeat("none", [])).toThrow('service "none" not found');
  });

  test("a closed engine takes no heartbeats", async () => {
    await engine.register("web", a);
    await engine.close();
    await expect(engine.register("web", a)).rejects.toThrow("shutting down");
    expect(() => engine.heartbeat("web", [a.id])).toThrow("shutting down");
  });
});

describe("history", () => {
  const why = () => engine.history("web").map(({ change, addr, why, detail }) => [change, addr, why, detail ?? ""]);

  test("tells what changed and why", async () => {
    await clock.advance(10_000);
    await engine.register("web", a);
    await engine.register("web", { ...a, meta: { v: "2" } });
    await engine.setState("web", a.id, { state: "down", reason: "refused", by: "check" });
    await engine.setState("web", a.id, { state: "up", by: "check" });
    await engine.setState("web", a.id, { state: "maintenance", reason: "disk" });
    await engine.deregister("web", a.id);
    await engine.register("web", b);
    await clock.advance(11_000);
    expect(why()).toEqual([
      ["up", a.addr, "registered", ""],
      ["leader", a.addr, "elected", ""],
      ["update", a.addr, "changed", ""],
      ["state", a.addr, "check failed", "down: refused"],
      ["state", a.addr, "check passed", "up"],
      ["leader", a.addr, "elected", ""],
      ["state", a.addr, "operator", "maintenance: disk"],
      ["down", a.addr, "deregistered", ""],
      ["up", b.addr, "registered", ""],
      ["leader", b.addr, "elected", ""],
      ["down", b.addr, "heartbeat missed", expect.stringContaining("silent for")],
    ]);
  });

  test("what the brake holds is told once, and ends as missed heartbeats", async () => {
    await clock.advance(10_000);
    for (const one of [a, b, c]) await engine.register("web", one);
    await clock.advance(15_000);
    expect(why().filter(([change]) => change === "held")).toHaveLength(3);
    expect(engine.status()).toMatchObject({ brake: 3, brakeShare: 0.5 });
    await clock.advance(40_000);
    expect(why().filter(([change]) => change === "down")).toHaveLength(3);
  });

  test("is bounded; a removed service says so", async () => {
    for (let n = 0; n < 50; n++) {
      await engine.register("web", a);
      await engine.deregister("web", a.id);
    }
    await engine.register("web", a);
    await engine.removeService("web");
    expect(engine.history("web")).toHaveLength(64);
    expect(why().at(-1)).toEqual(["down", a.addr, "service removed", ""]);
  });
});

test("a clock that is stepped, forth or back, neither expires the living nor keeps the dead", async () => {
  let offset = 0;
  const stepped = { now: () => clock.now() + offset, sleep: clock.sleep.bind(clock) };
  const other = await open({ clock: stepped });
  await clock.advance(10_000);
  for (const one of [a, b, c]) await other.register("web", one);
  for (const step of [3_600_000, -7_200_000, 3_600_000]) {
    offset += step;
    for (const one of [a, b, c]) await other.register("web", one);
    await clock.advance(1000);
  }
  for (let second = 0; second < 13; second++) {
    await clock.advance(1000);
    for (const one of [a, b]) await other.register("web", one);
  }
  expect(other.instances("web")?.map(({ addr }) => addr)).toEqual([a.addr, b.addr]);
});
