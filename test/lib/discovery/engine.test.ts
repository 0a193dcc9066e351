import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { type EngineOptions, openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { collect, instanceAt } from "./helpers.ts";

let store: Store;
let clock: FakeClock;
let engine: Engine;
let watching: AbortController;
const engines: Engine[] = [];

async function open(options: EngineOptions = {}): Promise<Engine> {
  const opened = await openEngine(store, { clock, ...options });
  engines.push(opened);
  return opened;
}

beforeEach(async () => {
  store = await openStore("memory:");
  clock = new FakeClock();
  watching = new AbortController();
  engine = await open();
  await engine.addService("web");
});

afterEach(async () => {
  watching.abort();
  await Promise.all(engines.splice(0).map((one) => one.close()));
  await store.close();
});

const watch = (options: { from?: number; kinds?: ["leader"]; bufferLimit?: number } = {}, service = "web") =>
  collect(engine.watch(service, { signal: watching.signal, ...options }));
const a = instanceAt("10.0.0.1:80");
const b = instanceAt("10.0.0.2:80");
const c = instanceAt("10.0.0.3:80");
const d = instanceAt("10.0.0.4:80");
const refused = (code: string, message: string) => expect.objectContaining({ code, message });

describe("services", () => {
  test("a second addService, and removing what is not there, are refused in the original's words", async () => {
    await expect(engine.addService("web")).rejects.toThrow(
      refused("object_exists", 'discoverd: service "web" already exists'),
    );
    await expect(engine.removeService("db")).rejects.toThrow(
      refused("object_not_found", 'discoverd: service "db" not found'),
    );
    await expect(engine.addService("db", { leader_type: "youngest" as "oldest" })).rejects.toThrow(
      "leader_type must be",
    );
  });

  test("a removed service takes its instances, leader and meta along; added again it is empty", async () => {
    await engine.register("web", a);
    await engine.setMeta("web", { data: 1, index: 0 });
    const { short } = watch();
    await engine.removeService("web");
    await settle();
    expect(short().slice(-2)).toEqual(["down 10.0.0.1:80", "leader"]);
    expect(engine.instances("web")).toBeUndefined();
    await engine.addService("web");
    expect(engine.instances("web")).toEqual([]);
    expect(engine.meta("web")).toBeUndefined();
    expect(engine.leader("web")).toBeUndefined();
    expect(engine.status()).toMatchObject({ services: 1, instances: 0 });
  });
});

describe("instances and leaders", () => {
  test("registered is seen at once, by index; the same again is a heartbeat and writes nothing", async () => {
    await engine.register("web", a);
    await engine.register("web", b);
    expect(engine.instances("web")?.map(({ addr }) => addr)).toEqual([a.addr, b.addr]);
    const { rev } = engine.status();
    await engine.register("web", a);
    await clock.advance(10);
    expect(engine.status().rev).toBe(rev);
  });

  test("a changed meta is an update and keeps the index", async () => {
    await engine.register("web", a);
    const index = engine.instances("web")?.[0]?.index;
    const { short } = watch();
    await engine.register("web", { ...a, meta: { z: "1", b: "2" } });
    await settle();
    expect(short().at(-1)).toBe("update 10.0.0.1:80");
    expect(engine.instances("web")).toEqual([{ ...a, meta: { b: "2", z: "1" }, index: index ?? 0 }]);
  });

  test("order of events: instance before leader; down and up again goes to the end of the queue", async () => {
    const { short } = watch();
    await engine.register("web", a);
    await engine.register("web", b);
    await engine.deregister("web", a.id);
    await engine.register("web", a);
    await settle();
    expect(short()).toEqual([
      "current",
      "up 10.0.0.1:80",
      "leader 10.0.0.1:80",
      "up 10.0.0.2:80",
      "down 10.0.0.1:80",
      "leader 10.0.0.2:80",
      "up 10.0.0.1:80",
    ]);
    expect(engine.leader("web")?.instance.addr).toBe(b.addr);
  });

  test("the initial state: up by index, leader, service_meta, current", async () => {
    await engine.register("web", b);
    await engine.register("web", a);
    await engine.setMeta("web", { data: { x: 1 }, index: 0 });
    const { short } = watch();
    await settle();
    expect(short()).toEqual([
      "up 10.0.0.2:80",
      "up 10.0.0.1:80",
      "leader 10.0.0.2:80",
      'service_meta {"x":1}',
      "current",
    ]);
  });

  test("no leader any more is told; tokens of later leaders are greater", async () => {
    const { events } = watch({ kinds: ["leader"] });
    for (const one of [a, b, c]) await engine.register("web", one);
    for (const one of [a, b, c]) await engine.deregister("web", one.id);
    await settle();
    const leaders = events.filter(({ kind }) => kind === "leader");
    expect(leaders.map(({ instance }) => instance?.addr)).toEqual([a.addr, b.addr, c.addr, undefined]);
    const tokens = leaders.slice(0, 3).map(({ fencingToken }) => fencingToken ?? 0);
    expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
    expect(new Set(tokens).size).toBe(3);
  });

  test("unknown services, instances and ids are refused", async () => {
    await expect(engine.register("db", a)).rejects.toThrow(
      refused("object_not_found", 'discoverd: service "db" not found'),
    );
    await expect(engine.register("web", { ...a, id: "x" })).rejects.toThrow(
      expect.objectContaining({ code: "validation_error" }),
    );
    const message = `discoverd: instance web/${a.id} not found`;
    await expect(engine.deregister("web", a.id)).rejects.toThrow(refused("object_not_found", message));
    await expect(engine.register("web", a, { ttlMs: 1 })).rejects.toThrow("ttl must be");
  });

  test("manual: nobody until named; setLeader on an oldest service is refused", async () => {
    await engine.addService("db", { leader_type: "manual" });
    await engine.register("db", a);
    await engine.register("db", b);
    expect(engine.leader("db")).toBeUndefined();
    await engine.setLeader("db", b.id);
    const first = engine.leader("db");
    expect(first?.instance.addr).toBe(b.addr);
    await engine.setLeader("db", a.id);
    await engine.setLeader("db", b.id);
    expect(engine.leader("db")?.fencingToken).toBeGreaterThan(first?.fencingToken ?? 0);
    await engine.deregister("db", b.id);
    expect(engine.leader("db")).toBeUndefined();
    await engine.register("db", b);
    expect(engine.leader("db")?.instance.addr).toBe(b.addr);
    const message = "service leader election type is not manual";
    await expect(engine.setLeader("web", a.id)).rejects.toThrow(refused("validation_error", message));
  });

  test("a leader named with the meta of an oldest service leads; after it the oldest, with a greater token", async () => {
    for (const one of [a, b]) await engine.register("web", one);
    const { short } = watch();
    await engine.setMeta("web", { data: 1, index: 0, leader_id: b.id });
    await settle();
    expect(short().slice(-2)).toEqual(["service_meta 1", "leader 10.0.0.2:80"]);
    const named = engine.leader("web")?.fencingToken ?? 0;
    await engine.deregister("web", b.id);
    const next = await waitFor(() => engine.leader("web"), { what: "the oldest to lead" });
    expect(next.instance.addr).toBe(a.addr);
    expect(next.fencingToken).toBeGreaterThan(named);
  });
});

test("meta: compare-and-set with the original's messages", async () => {
  const set = (index: number) => engine.setMeta("web", { data: index, index });
  const what = 'Service metadata for "web"';
  await expect(engine.setMeta("db", { data: 1, index: 0 })).rejects.toThrow('discoverd: service "db" not found');
  await expect(set(7)).rejects.toThrow(refused("precondition_failed", `${what} does not exist, use index=0 to set`));
  const { index } = await set(0);
  expect(engine.meta("web")).toEqual({ data: 0, index });
  await expect(set(0)).rejects.toThrow(refused("object_exists", `${what} already exists, use index=n to set`));
  await expect(set(index + 1)).rejects.toThrow(
    refused("precondition_failed", `${what} exists, but wrong index provided`),
  );
  expect((await set(index)).index).toBeGreaterThan(index);
});

describe("expiry", () => {
  const grace = 10_000;

  test("an instance without heartbeats goes after its TTL, one with them stays, one that is held needs none", async () => {
    await clock.advance(grace);
    await engine.register("web", a);
    await engine.register("web", b);
    await engine.register("web", c, { held: true });
    for (let second = 0; second < 12; second++) {
      await clock.advance(1000);
      await engine.register("web", b);
    }
    expect(engine.instances("web")?.map(({ addr }) => addr)).toEqual([b.addr, c.addr]);
  });

  test("a TTL of its own", async () => {
    await clock.advance(grace);
    await engine.register("web", a, { ttlMs: 2000 });
    await engine.register("web", b);
    await clock.advance(4000);
    expect(engine.instances("web")?.map(({ addr }) => addr)).toEqual([b.addr]);
  });

  test("nothing goes within one TTL of the start", async () => {
    await engine.register("web", a, { ttlMs: 1000 });
    await clock.advance(grace - 1000);
    expect(engine.instances("web")).toHaveLength(1);
    await clock.advance(3000);
    expect(engine.instances("web")).toEqual([]);
  });

  test("the brake keeps a mass, tells it, and lets go when heartbeats return", async () => {
    await clock.advance(grace);
    const all = [a, b, c, d];
    for (const one of all) await engine.register("web", one);
    await clock.advance(15_000);
    expect(engine.instances("web")).toHaveLength(4);
    expect(engine.status().brake).toBe(4);
    for (const one of [a, b, c]) await engine.register("web", one);
    await clock.advance(1000);
    expect(engine.status().brake).toBe(0);
    expect(engine.instances("web")?.map(({ addr }) => addr)).toEqual([a.addr, b.addr, c.addr]);
  });

  test("the brake holds no longer than its bound", async () => {
    await clock.advance(grace);
    for (const one of [a, b, c, d]) await engine.register("web", one);
    await clock.advance(38_000);
    expect(engine.instances("web")).toHaveLength(4);
    await clock.advance(4000);
    expect(engine.instances("web")).toEqual([]);
  });

  test("a stall of this process puts expiry off by the stall", async () => {
    await clock.advance(grace);
    await engine.register("web", a);
    await clock.stall(60_000);
    await clock.advance(2000);
    expect(engine.instances("web")).toHaveLength(1);
    await clock.advance(10_000);
    expect(engine.instances("web")).toEqual([]);
  });

  test("a heartbeat at another daemon makes that one the owner: the first no longer expires it", async () => {
    await clock.advance(grace);
    const other = await open();
    await clock.advance(grace);
    await engine.register("web", a);
    const index = engine.instances("web")?.[0]?.index;
    await waitFor(() => other.instances("web")?.length === 1, { what: "the other daemon to see it" });
    for (let second = 0; second < 25; second++) {
      await other.register("web", a);
      await clock.advance(1000);
    }
    expect(engine.instances("web")?.[0]?.index).toBe(index);
    await clock.advance(12_000);
    expect(engine.instances("web")).toEqual([]);
  });
});

describe("the lease", () => {
  test("after it ran out, what lives is registered again by itself", async () => {
    await engine.register("web", a);
    await engine.register("web", b, { held: true });
    const leases = async () => (await store.list("/discoverd/v1/s/web/i/")).entries.map((entry) => entry.lease);
    const [old = ""] = await leases();
    const { short } = watch();
    await store.revokeLease(old);
    await waitFor(() => short().filter((event) => event.startsWith("up")).length === 4, { what: "both to come again" });
    expect(short().slice(4, 7)).toEqual(["down 10.0.0.1:80", "down 10.0.0.2:80", "leader"]);
    expect(engine.instances("web")).toHaveLength(2);
    expect(await leases()).not.toContain(old);
  });

  test("what another daemon deregisters stays away, unless it is held here", async () => {
    const other = await open();
    await engine.register("web", a);
    await engine.register("web", b, { held: true });
    await waitFor(() => other.instances("web")?.length === 2, { what: "the other daemon to see both" });
    await other.deregister("web", a.id);
    await other.deregister("web", b.id);
    await waitFor(
      async () => {
        await clock.advance(1000);
        return (
          engine
            .instances("web")
            ?.map(({ addr }) => addr)
            .join() === b.addr
        );
      },
      { what: "only the held one to come back" },
    );
  });

  test("daemons know each other, until one closes", async () => {
    const other = await open({ daemonId: "other", address: "10.9.9.9:1111" });
    await waitFor(() => engine.daemons().some(({ address }) => address === "10.9.9.9:1111"), { what: "to know it" });
    await other.close();
    await waitFor(() => engine.daemons().length === 1, { what: "it to be gone" });
  });
});

describe("watches", () => {
  test("a service that does not exist has just current, and its events when it comes", async () => {
    const { short } = watch({}, "later");
    await settle();
    expect(short()).toEqual(["current"]);
    await engine.addService("later");
    await engine.register("later", a);
    await settle();
    expect(short()).toEqual(["current", "up 10.0.0.1:80", "leader 10.0.0.1:80"]);
  });

  test("all services: each with its current, then one for all", async () => {
    await engine.addService("db");
    await engine.register("db", a);
    const { events } = collect(engine.watch(undefined, { signal: watching.signal }));
    await settle();
    expect(events.map(({ service, kind }) => `${service} ${kind}`)).toEqual([
      "db up",
      "db leader",
      "db current",
      "web current",
      " current",
    ]);
  });

  test("resumes without a gap and without repeating; from too long ago it begins anew", async () => {
    const small = await open({ logSize: 4 });
    const { rev } = small.status();
    for (const one of [a, b]) await small.register("web", one);
    const resumed = collect(small.watch("web", { signal: watching.signal, from: rev }));
    await settle();
    expect(resumed.short()).toEqual(["up 10.0.0.1:80", "leader 10.0.0.1:80", "up 10.0.0.2:80"]);
    for (const one of [c, d]) await small.register("web", one);
    await settle();
    expect(resumed.short().slice(3)).toEqual(["up 10.0.0.3:80", "up 10.0.0.4:80"]);
    const anew = collect(small.watch("web", { signal: watching.signal, from: rev }));
    const future = collect(small.watch("web", { signal: watching.signal, from: rev + 1e6 }));
    await settle();
    expect(anew.short().at(-1)).toBe("current");
    expect(future.short().at(-1)).toBe("current");
  });

  test("every event's rev resumes right after it, whatever the place in its step", async () => {
    const seen = watch();
    for (const one of [a, b]) await engine.register("web", one);
    await engine.setMeta("web", { data: 1, index: 0, leader_id: b.id });
    await engine.deregister("web", b.id);
    await settle();
    const live = seen.events.filter(({ kind, rev }) => kind !== "current" && rev > 0);
    for (const [i, { rev }] of live.entries()) {
      const { short } = collect(engine.watch("web", { signal: watching.signal, from: rev }));
      await settle();
      // At least all that follow; at most the own step once more.
      expect(short().slice(-(live.length - i - 1) || short().length)).toEqual(
        seen.short().slice(-(live.length - i - 1) || seen.short().length),
      );
    }
  });

  test("a slow reader is cut; another one is not touched", async () => {
    const slow = engine.watch("web", { signal: watching.signal, bufferLimit: 3 })[Symbol.asyncIterator]();
    const { short } = watch();
    for (const one of [a, b, c, d]) await engine.register("web", one);
    await settle();
    expect(short()).toHaveLength(6);
    await expect(slow.next()).rejects.toThrow(
      refused("slow_reader", "discoverd: channel send failed due to blocked receiver"),
    );
    expect(engine.watchers).toBe(1);
  });

  test("an initial state larger than the queue is no reason to cut", async () => {
    for (const one of [a, b, c, d]) await engine.register("web", one);
    const { short } = watch({ bufferLimit: 1 });
    await settle();
    expect(short()).toHaveLength(6);
  });

  test("they end with their signal, and with the engine", async () => {
    const first = watch();
    const own = new AbortController();
    const second = collect(engine.watch("web", { signal: own.signal }));
    own.abort();
    await second.end;
    expect(first.state.done).toBe(false);
    await engine.close();
    await first.end;
    expect(first.state.error).toBeUndefined();
    await expect(engine.register("web", a)).rejects.toThrow("shutting down");
  });
});

test("spoilt entries of others hide only themselves", async () => {
  await engine.register("web", a);
  const value = new TextEncoder().encode("{not json");
  await store.txn({ then: [{ op: "put", key: "/discoverd/v1/s/web/i/ffff", value }] });
  await store.txn({ then: [{ op: "put", key: "/discoverd/v1/s/web/meta", value }] });
  await engine.register("web", b);
  expect(engine.instances("web")).toHaveLength(2);
  expect(engine.meta("web")).toBeUndefined();
  // Who registers where a spoilt one is takes its place.
  for (const [at, id] of [c.id, d.id].entries()) {
    await store.txn({ then: [{ op: "put", key: `/discoverd/v1/s/web/i/${id}`, value }] });
    await settle();
    expect(engine.instances("web")).toHaveLength(2 + at);
    const written = at === 0 ? engine.register("web", c) : engine.registerAll([{ service: "web", instance: d }]);
    await settle();
    await clock.advance(10);
    expect(await written).not.toEqual([expect.anything()]);
    expect(engine.instances("web")).toHaveLength(3 + at);
  }
});

test("a leader that was named before it came, and goes: no later leadership has a smaller token", async () => {
  const { events } = watch({ kinds: ["leader"] });
  await engine.setMeta("web", { data: {}, index: 0, leader_id: b.id });
  await engine.register("web", a);
  await engine.register("web", b);
  await settle();
  expect(engine.leader("web")?.instance.id).toBe(b.id);
  await engine.setState("web", b.id, { state: "down" });
  await settle();
  expect(engine.leader("web")?.instance.id).toBe(a.id);
  const tokens = events.flatMap(({ fencingToken }) => fencingToken ?? []);
  expect(tokens).toHaveLength(3);
  expect(tokens).toEqual([...new Set(tokens)].sort((x, y) => x - y));
});

/** A daemon that sees nothing more of the store from `hold` on, until `gate` is resolved. */
async function daemonBehind(options: EngineOptions = {}) {
  const gate = Promise.withResolvers<void>();
  let isHeld = false;
  const late: Store = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name === "watch") {
        return async function* (...args: Parameters<Store["watch"]>) {
          for await (const event of target.watch(...args)) {
            if (isHeld) await gate.promise;
            yield event;
          }
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const other = await openEngine(late, { clock, ...options });
  engines.push(other);
  await waitFor(() => other.instances("web"), { what: "the service" });
  await other.register("web", a); // by then it has its lease
  await other.deregister("web", a.id);
  const hold = () => {
    isHeld = true;
  };
  return { other, gate, hold };
}

describe.each(["alone", "in a batch"])(
  "a registration, %s, of what another daemon has that ours has not seen yet",
  (how) => {
    test("keeps its state and its place", async () => {
      const { other, gate, hold } = await daemonBehind();
      hold();
      const { events } = watch({ kinds: ["leader"] });
      await engine.register("web", b);
      await engine.register("web", c);
      await engine.setState("web", b.id, { state: "maintenance" });
      expect(other.instances("web")).toEqual([]);
      const written = how === "alone" ? other.register("web", b) : other.registerAll([{ service: "web", instance: b }]);
      await settle();
      gate.resolve();
      await settle();
      await clock.advance(10);
      expect(await written).toEqual(how === "alone" ? undefined : [undefined]);
      await settle();
      expect(engine.instances("web")).toMatchObject([{ id: b.id, state: "maintenance" }, { id: c.id }]);
      expect(engine.leader("web")?.instance.id).toBe(c.id);
      const tokens = events.flatMap(({ fencingToken }) => fencingToken ?? []);
      expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
    });
  },
);

test("a batch of what another daemon has, and a store that shows nothing more: its rest waits once, not once for each lot", async () => {
  const { other, gate, hold } = await daemonBehind({ writeTimeoutMs: 50 });
  hold();
  const all = Array.from({ length: 130 }, (_, i) => ({ service: "web", instance: instanceAt(`10.1.0.1:${i + 1}`) }));
  await engine.registerAll(all);
  const began = clock.now();
  let ended: number | undefined;
  const batch = other.registerAll(all).finally(() => {
    ended = clock.now();
  });
  for (let turn = 0; turn < 100 && ended === undefined; turn++) await clock.advance(10);
  gate.resolve();
  expect(await batch).toEqual(all.map(() => expect.objectContaining({ code: "service_unavailable" })));
  // The first lot's tries take 100 ms; three lots took 300.
  expect((ended ?? Number.POSITIVE_INFINITY) - began).toBeLessThan(200);
});
