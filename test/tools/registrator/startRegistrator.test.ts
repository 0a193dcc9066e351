import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { instanceId, openEngine } from "../../../lib/discovery/index.ts";
import type { Container } from "../../../lib/docker/containers.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import {
  discoveryRegistry,
  type Registrator,
  type RegistratorOptions,
  startRegistrator,
} from "../../../tools/registrator/index.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { container, engine, FakeRegistry, FakeWatcher, network } from "./fakes.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const quick = { retryFirstMs: 2, retryCapMs: 20, callTimeoutMs: 40 };

function start(registry = new FakeRegistry(), options: RegistratorOptions = {}, watcher = new FakeWatcher()) {
  const registrator = startRegistrator({
    containers: watcher,
    registries: [registry],
    options: { hostname: "host", internal: true, ...options },
    log: silentLogger,
    reconciler: quick,
  });
  open.push(() => registrator.close());
  return { registry, watcher, registrator };
}

function web(n: number, changes: Partial<Container> = {}): Container {
  return container({
    id: String(n).padStart(64, "0"),
    name: `web-${n}`,
    networks: [network("bridge", `172.17.0.${n}`)],
    startedAt: String(n).padStart(4, "0"),
    ...changes,
  });
}

const stopped = {
  status: "exited",
  running: false,
  paused: false,
  exitCode: 0,
  health: "none",
  healthOutput: "",
} as const;

async function settled(registrator: Registrator): Promise<void> {
  await waitFor(() => registrator.settled(100), { what: "the registry to be as desired" });
}

function addresses(registry: FakeRegistry): string[] {
  return [...registry.entries.values()].map((entry) => `${entry.containerName} ${entry.address}`).sort();
}

describe("startRegistrator", () => {
  test("containers come and go, and so do their entries; unchanged ones are not written again", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2), web(3), web(4, { state: stopped })]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80", "web-3 172.17.0.3:80"]);
    expect(registry.writes).toBe(2);
    watcher.set([web(3)]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-3 172.17.0.3:80"]);
    expect(registry.writes).toBe(3);
  });

  test("who is being started is made ready, and written at its start; the inspect after it writes nothing", async () => {
    const registry = new FakeRegistry();
    const entryOf = registry.entryOf;
    let made = 0;
    registry.entryOf = (...args) => {
      made++;
      return entryOf(...args);
    };
    const { watcher, registrator } = start(registry, { tags: "{{.Name}}" });
    const upcoming = web(2, { pid: 0 });
    const created = web(2, { state: stopped, networks: [network("bridge", "")] });
    watcher.set([created], { upcoming: new Map([[upcoming.id, upcoming]]) });
    await settled(registrator);
    await waitFor(() => made === 1, { what: "it to be ready" });
    expect(registry.writes).toBe(0);
    expect(registrator.status().containers).toEqual([]);

    watcher.set([upcoming], { upcoming: new Map() });
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
    expect(made).toBe(1);
    watcher.set([web(2, { pid: 77 })], { upcoming: new Map() });
    await waitFor(() => made === 2, { what: "the inspect's to be made" });
    await settled(registrator);
    expect(registry.writes).toBe(1);

    // One that does not start after all.
    watcher.set([web(2, { pid: 77 }), web(3, { state: stopped })], { upcoming: new Map([[web(3).id, web(3)]]) });
    watcher.set([web(2, { pid: 77 }), web(3, { state: stopped })], { upcoming: new Map() });
    await settled(registrator);
    expect(registry.writes).toBe(1);
  });

  test("who was made ready is begun at its start: one write, told once; the next state has the last word", async () => {
    const { registry, watcher, registrator } = start();
    const stop = new AbortController();
    const told: string[] = [];
    const listening = (async () => {
      for await (const { text } of registrator.events(stop.signal)) told.push(text);
    })();
    const [first, second] = [web(2), web(3)];
    const created = [first, second].map(({ id, name }) => container({ id, name, state: stopped }));
    watcher.set(created, { upcoming: new Map([first, second].map((each) => [each.id, each])) });
    await settled(registrator);
    for (const each of [first, second]) registrator.begin(each);
    await waitFor(() => registry.entries.size === 2, { what: "both to be written" });

    // The second ended before any state had it.
    watcher.set([first], { upcoming: new Map() });
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
    expect(registry.writes).toBe(3);
    stop.abort();
    await listening;
    expect(told.sort()).toEqual([
      "deregistered web-3 as web at 172.17.0.3:80",
      "registered web-2 as web at 172.17.0.2:80",
      "registered web-3 as web at 172.17.0.3:80",
    ]);
  });

  test("a dry run of the cleanup leaves nothing behind of one that was begun and has ended", async () => {
    const { registry, watcher, registrator } = start(undefined, { cleanup: "dry-run" });
    const upcoming = web(2);
    watcher.set([], { upcoming: new Map([[upcoming.id, upcoming]]) });
    await settled(registrator);
    registrator.begin(upcoming);
    watcher.set([], { upcoming: new Map() });
    await waitFor(() => registry.writes === 2, { what: "it to be written and taken out" });
    expect(addresses(registry)).toEqual([]);
  });

  test("nothing is begun that is another's, that a container has already, that hangs on another, or that does not run; nor while the registry is away", async () => {
    const registry = new FakeRegistry();
    const other = start(registry, { owner: "engine-2" });
    other.watcher.set([web(2)]);
    await settled(other.registrator);
    const { watcher, registrator } = start(registry);
    const twin = web(5, { networks: [network("bridge", "172.17.0.3")] });
    const [others, last] = [web(2), web(6)];
    const hanging = web(7, { networkMode: `container:${web(3).id}` });
    const upcoming = [others, twin, last];
    watcher.set([web(3)], { upcoming: new Map(upcoming.map((each) => [each.id, each])) });
    await settled(registrator);
    const before = new Map(registry.entries);
    const { writes } = registry;
    for (const each of [others, twin, hanging, web(4, { state: stopped })]) registrator.begin(each);
    expect(registry.writes).toBe(writes);

    registry.fail = () => new Error("connection refused");
    registry.tell(undefined);
    await waitFor(() => registrator.status().registries[0]?.lastError, { what: "the error" });
    registrator.begin(last);
    expect(registry.writes).toBe(writes);
    expect(registry.entries).toEqual(before);
    registry.fail = () => undefined;
  });

  test("one that nobody foresaw is begun by what its inspect said; the next state changes nothing", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2, { state: stopped })]);
    await settled(registrator);
    registrator.begin(web(2));
    await waitFor(() => registry.entries.size === 1, { what: "it to be written" });
    watcher.set([web(2)]);
    await settled(registrator);
    expect(registry.writes).toBe(1);
    // It started again: what stands there is left to the state.
    registrator.begin(web(2));
    expect(registry.writes).toBe(1);
  });

  test("while the engine is away nothing is begun: nobody would take it out again", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2)]);
    await settled(registrator);
    watcher.set([web(2)], { connected: false, reason: "gone" });
    await waitFor(() => !registrator.status().connected, { what: "the loss" });
    registrator.begin(web(3));
    expect(registry.writes).toBe(1);
    watcher.set([web(2), web(3)]);
    await settled(registrator);
    registrator.begin(web(4));
    expect(registry.writes).toBe(3);
  });

  test("a begun write that fails is tried again", async () => {
    const { registry, watcher, registrator } = start();
    const upcoming = web(2);
    watcher.set([web(2, { state: stopped })], { upcoming: new Map([[upcoming.id, upcoming]]) });
    await settled(registrator);
    let failed = 0;
    registry.fail = (call) => (call === "register" && failed++ === 0 ? new Error("no") : undefined);
    registrator.begin(upcoming);
    watcher.set([upcoming], { upcoming: new Map() });
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
    expect(failed).toBe(2);
  });

  test("at start: what an earlier run left is taken over or out, with no other writes", async () => {
    const registry = new FakeRegistry();
    const first = start(registry);
    first.watcher.set([web(2), web(3)]);
    await settled(first.registrator);
    await first.registrator.close("keep");
    expect(registry.entries.size).toBe(2);
    registry.writes = 0;
    const second = start(registry);
    second.watcher.set([web(3)]);
    await settled(second.registrator);
    expect(addresses(registry)).toEqual(["web-3 172.17.0.3:80"]);
    expect(registry.writes).toBe(1);
  });

  test("resync with nothing changed: lists, and no writes", async () => {
    const { registry, watcher, registrator } = start(undefined, { resyncMs: 20 });
    watcher.set([web(2), web(3)]);
    await settled(registrator);
    const lists = registry.lists;
    await waitFor(() => registry.lists > lists + 5, { what: "some resyncs" });
    expect(registry.writes).toBe(2);
  });

  test("Docker gone: nothing is taken out; what is true after it is back is", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([], { connected: false, reason: "connection refused" });
    expect(await registrator.settled(20)).toBe(false);
    watcher.set([web(2)]);
    await settled(registrator);
    watcher.set([], { connected: false, reason: "connection refused" });
    await waitFor(() => !registrator.status().connected, { what: "the news" });
    expect(registrator.status().reason).toBe("connection refused");
    expect(registry.entries.size).toBe(1);
    watcher.set([web(5)]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-5 172.17.0.5:80"]);
  });

  test("a container that cannot be read keeps its entry; paused goes by policy; restarting goes", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2), web(3), web(4)]);
    await settled(registrator);
    const paused = { ...web(3).state, status: "paused", paused: true } as const;
    const restarting = { ...web(4).state, status: "restarting" } as const;
    watcher.set([web(3, { state: paused }), web(4, { state: restarting })], {
      unreadable: new Map([[web(2).id, "garbage"]]),
    });
    await settled(registrator);
    // This registry has no maintenance.
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
    expect(registrator.status().unreadable).toEqual({ [web(2).id]: "garbage" });
  });

  test("renamed, moved to another network, told to end and alive again: its entry follows", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2)]);
    await settled(registrator);
    watcher.set([web(2, { name: "renamed", networks: [network("front", "10.9.0.2")], networkMode: "front" })]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["renamed 10.9.0.2:80"]);
    watcher.set([web(2, { stopping: { signal: 15, at: 1 } })]);
    await settled(registrator);
    expect(addresses(registry)).toEqual([]);
    expect(registrator.status().containers[0]?.services).toMatchObject([
      { state: "refused", reason: "it was told to end by signal 15" },
    ]);
    watcher.set([web(2)]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
  });

  test.each<[number, string[]]>([
    [0, []],
    [1, ["web-2 172.17.0.2:80"]],
    [137, []],
  ])("-deregister on-success, exit code %i", async (exitCode, left) => {
    const { registry, watcher, registrator } = start(undefined, { deregister: "on-success" });
    watcher.set([web(2)]);
    await settled(registrator);
    watcher.set([web(2, { state: { ...stopped, exitCode } })]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(left);
    watcher.set([]);
    await settled(registrator);
    expect(addresses(registry)).toEqual([]);
  });

  test("others' entries: never changed, and a service that would need one is refused with the reason", async () => {
    const registry = new FakeRegistry();
    const other = start(registry, { owner: "engine-2" });
    other.watcher.set([web(2), web(9)]);
    await settled(other.registrator);
    const before = new Map(registry.entries);
    const { watcher, registrator } = start(registry);
    watcher.set([web(2), web(3)]);
    await settled(registrator);
    await waitFor(() => registry.entries.size === 3, { what: "web-3" });
    for (const [key, entry] of before) expect(registry.entries.get(key)).toBe(entry);
    const [refused] = registrator.status().containers[0]?.services ?? [];
    expect(refused).toMatchObject({
      state: "refused",
      reason: "web at 172.17.0.2:80 is already registered by engine engine-2",
    });
    await registrator.close("deregister");
    expect(registry.entries).toEqual(before);
  });

  test("two containers that claim one address: the older has it, the other is told so, and gets it when it is free", async () => {
    const { registry, watcher, registrator } = start();
    const twin = web(3, { networks: [network("bridge", "172.17.0.2")] });
    watcher.set([twin, web(2)]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80"]);
    expect(registrator.status().containers.map(({ services }) => services[0])).toMatchObject([
      { state: "registered" },
      { state: "refused", reason: "web at 172.17.0.2:80 is already registered for container web-2" },
    ]);
    watcher.set([twin]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-3 172.17.0.2:80"]);
  });

  test("a refused service is its container's own trouble", async () => {
    const { registry, watcher, registrator } = start();
    const stop = new AbortController();
    const events = registrator.events(stop.signal)[Symbol.asyncIterator]();
    const first = events.next();
    watcher.set([web(2, { env: ["SERVICE_NAME=refused"] }), web(3)]);
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-3 172.17.0.3:80"]);
    expect(registrator.status().containers[0]?.services[0]).toMatchObject({
      state: "refused",
      reason: "no such names here",
    });
    expect((await first).value).toMatchObject({
      kind: "refused",
      text: "refused web-2 as refused: no such names here",
    });
    expect((await events.next()).value).toMatchObject({
      kind: "registered",
      text: "registered web-3 as web at 172.17.0.3:80",
    });
    stop.abort();
    expect((await events.next()).done).toBe(true);
  });

  test("a tag template that fails refuses that container alone", async () => {
    const { registry, watcher, registrator } = start(undefined, { tags: "{{index .Config.Env 0}}" });
    watcher.set([web(2), web(3, { env: ["X=1"] })]);
    await waitFor(() => registry.entries.size === 1 && registrator.status().containers[0]?.ignored.length === 1, {
      what: "both",
    });
    expect(addresses(registry)).toEqual(["web-3 172.17.0.3:80"]);
    expect(registrator.status().containers[0]?.ignored).toEqual([{ port: "", why: "tags: index: out of range: 0" }]);
  });

  test("wiped by somebody: written again at once when the registry tells, else at the next resync", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2), web(3)]);
    await settled(registrator);
    registry.entries.clear();
    registry.tell(undefined);
    await waitFor(() => registry.entries.size === 2, { what: "both to be back" });
    const [key] = registry.entries.keys();
    registry.entries.delete(key ?? "");
    registry.tell({ key: key ?? "" });
    await waitFor(() => registry.entries.size === 2, { what: "the one to be back" });
    expect(registry.writes).toBe(5);
  });

  test("one hung call does not hold up the others, and is tried again", async () => {
    const { registry, watcher, registrator } = start();
    let hung = 0;
    registry.fail = (call, key) => (call === "register" && key.includes("0.2:") && hung++ < 2 ? "hang" : undefined);
    watcher.set([web(2), web(3)]);
    await waitFor(() => registry.entries.size === 1, { what: "web-3, while web-2 hangs" });
    await settled(registrator);
    expect(addresses(registry)).toEqual(["web-2 172.17.0.2:80", "web-3 172.17.0.3:80"]);
    expect(hung).toBe(3);
  });

  test("the registry is away: shown, and all is written soon after its return", async () => {
    const { registry, watcher, registrator } = start();
    registry.fail = () => new Error("connection refused");
    watcher.set(Array.from({ length: 50 }, (_, i) => web(i + 2)));
    await waitFor(() => registrator.status().registries[0]?.lastError, { what: "the error" });
    expect(registrator.status().registries[0]).toMatchObject({
      synced: false,
      registered: 0,
      lastError: "connection refused",
    });
    expect(registrator.status().containers[0]?.services[0]).toMatchObject({ state: "pending" });
    registry.fail = () => undefined;
    await settled(registrator);
    expect(registry.entries.size).toBe(50);
    expect(registry.maxParallel).toBeLessThanOrEqual(16);
  });

  test("the registry is away: the log says so once, why, and when it is back", async () => {
    const told: string[] = [];
    const say = (message: string, { reason = "" }: Record<string, unknown> = {}) => {
      if (message.startsWith("the registry ")) told.push(`${message}: ${reason}`);
    };
    const [registry, watcher] = [new FakeRegistry(), new FakeWatcher()];
    const registrator = startRegistrator({
      containers: watcher,
      registries: [{ registry, options: { internal: true } }],
      log: { ...silentLogger, info: say, warn: say },
      reconciler: { retryFirstMs: 2, retryCapMs: 5 },
    });
    let tries = 0;
    registry.fail = () => new Error(`refused ${++tries}`);
    watcher.set([web(2)]);
    await waitFor(() => tries > 4, { what: "some tries" });
    expect(told).toEqual(["the registry does not answer; trying again until it does: refused 1"]);
    registry.fail = () => undefined;
    expect(await registrator.settled(2000)).toBe(true);
    expect(told.slice(1)).toEqual(["the registry answers again: "]);
    await registrator.close();
  });

  test("what is shown as less than well is told so: in the log, the event and the status", async () => {
    class Showing extends FakeRegistry {
      readonly showsHealth = true;
    }
    const { watcher, registrator } = start(new Showing());
    const ended = new AbortController();
    const told: unknown[] = [];
    const listening = (async () => {
      for await (const { text, health } of registrator.events(ended.signal)) told.push([text, health]);
    })();
    const fine = web(2);
    const paused = { ...fine, state: { ...fine.state, status: "paused" as const, paused: true } };
    for (const state of [fine, paused, fine]) {
      watcher.set([state]);
      await waitFor(
        () =>
          registrator.status().containers[0]?.services[0]?.health === (state === paused ? "maintenance" : undefined),
        { what: "the state" },
      );
      await settled(registrator);
    }
    const text = "registered web-2 as web at 172.17.0.2:80";
    await waitFor(() => told.length === 3, { what: "three events" });
    expect(told).toEqual([
      [text, undefined],
      [`${text} (maintenance)`, "maintenance"],
      [text, undefined],
    ]);
    ended.abort();
    await listening;
  });

  test("close: deregister takes out what is ours, keep leaves it", async () => {
    const { registry, watcher, registrator } = start();
    watcher.set([web(2)]);
    await settled(registrator);
    await registrator.close("deregister");
    expect(registry.entries.size).toBe(0);
  });

  test("random churn of containers, with a registry that fails and loses answers, ends equal", async () => {
    const step = fc.array(fc.tuple(fc.nat(9), fc.constantFrom("up", "down", "renamed")), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), fc.infiniteStream(fc.nat(9)), async (steps, dice) => {
        const { registry, watcher, registrator } = start();
        const foreign = {
          key: "web/172.17.0.99:80",
          owner: "engine-2",
          containerId: "x",
          containerName: "x",
          service: "web",
          address: "172.17.0.99:80",
          fingerprint: "f",
          payload: undefined,
        };
        registry.entries.set(foreign.key, foreign);
        registry.fail = () => {
          const rolled = dice.next().value ?? 9;
          return rolled === 0 ? new Error("no") : rolled === 1 ? "late" : undefined;
        };
        const alive = new Map<number, Container>();
        for (const changes of steps) {
          for (const [n, what] of changes) {
            if (what === "down") alive.delete(n);
            else alive.set(n, web(n + 2, what === "renamed" ? { env: ["SERVICE_NAME=other"] } : {}));
          }
          watcher.set([...alive.values()]);
          await new Promise((resolve) => setImmediate(resolve));
        }
        registry.fail = () => undefined;
        watcher.set([...alive.values()]);
        const expected = [...alive.values()]
          .map(({ name, networks, env }) => `${env.length > 0 ? "other" : "web"} ${name} ${networks[0]?.ipv4}:80`)
          .sort();
        const there = () =>
          [...registry.entries.values()]
            .filter((entry) => entry !== foreign)
            .map((entry) => `${entry.service} ${entry.containerName} ${entry.address}`)
            .sort();
        await waitFor(
          async () => JSON.stringify(there()) === JSON.stringify(expected) && (await registrator.settled(1)),
          { what: `the registry to be ${expected}`, deadlineMs: 5000 },
        );
        expect(registry.entries.get(foreign.key)).toBe(foreign);
        await registrator.close();
      }),
      { numRuns: 40, timeout: 20_000 },
    );
  }, 60_000);
});

describe("over the discovery engine", () => {
  async function discovery() {
    const store = await openStore("memory:");
    const opened = await openEngine(store, { brakeShare: 1, checkMs: 50 });
    open.push(async () => {
      await opened.close();
      await store.close();
    });
    return opened;
  }

  test("Docker's health, pause and stop are states; an operator's own word stays", async () => {
    const store = await openStore("memory:");
    const discovery = await openEngine(store);
    const watcher = new FakeWatcher();
    const registrator = startRegistrator({
      containers: watcher,
      registries: [discoveryRegistry({ discovery, held: true })],
      options: { internal: true, hostname: "host", resyncMs: 100 },
      log: silentLogger,
    });
    const shown = () => {
      const [{ state = "up", reason = "", id = "" } = {}] = discovery.instances("web") ?? [];
      return { id, said: [state, reason] };
    };
    const state = web(2).state;
    try {
      for (const [changes, said] of [
        [{}, ["up", ""]],
        [{ state: { ...state, health: "starting" } }, ["warning", "registrator: starting"]],
        [{ state: { ...state, health: "unhealthy", healthOutput: "refused\n" } }, ["down", "registrator: refused"]],
        [{ stopping: { signal: 2, at: 1 } }, ["draining", "registrator: it was told to end by signal 2"]],
        [{ state: { ...state, paused: true, status: "paused" } }, ["maintenance", "registrator: it is paused"]],
        [{ state: { ...state, health: "healthy" } }, ["up", ""]],
      ] as const) {
        watcher.set([web(2, changes)]);
        await settled(registrator);
        expect(shown().said).toEqual([...said]);
      }
      await discovery.setState("web", shown().id, { state: "maintenance", reason: "mine" });
      watcher.set([web(2, { state: { ...state, health: "unhealthy", healthOutput: "x" } })]);
      await settled(registrator);
      expect(shown().said).toEqual(["maintenance", "mine"]);
      await discovery.setState("web", shown().id, { state: "up" });
      expect(shown().said).toEqual(["down", "registrator: x"]);
    } finally {
      await registrator.close();
      await discovery.close();
      await store.close();
    }
  });

  test("registers with meta, creates the service, leaves others' instances alone, and mends what is taken out", async () => {
    const engineOf = await discovery();
    await engineOf.addService("web");
    const manual = { id: instanceId("tcp", "10.9.9.9:1"), addr: "10.9.9.9:1", proto: "tcp" };
    await engineOf.register("web", manual, { held: true });
    const watcher = new FakeWatcher();
    const registrator = startRegistrator({
      containers: watcher,
      registries: [discoveryRegistry({ discovery: engineOf, held: true })],
      options: { hostname: "host", internal: true },
      log: silentLogger,
    });
    open.push(() => registrator.close());
    watcher.set([web(2, { env: ["SERVICE_TAGS=a,b", "SERVICE_REGION=eu"] }), web(3, { env: ["SERVICE_NAME=My_Api"] })]);
    await settled(registrator);
    expect(engineOf.instances("web")).toMatchObject([
      manual,
      {
        addr: "172.17.0.2:80",
        proto: "tcp",
        meta: {
          region: "eu",
          tags: "a,b",
          id: "host:web-2:80",
          "docker.engine": `${engine.id}@${engine.name}`,
          "docker.container": web(2).id,
          "docker.name": "web-2",
        },
      },
    ]);
    expect(engineOf.instances("my-api")).toMatchObject([{ addr: "172.17.0.3:80", meta: { name: "My_Api" } }]);

    await engineOf.deregister("web", instanceId("tcp", "172.17.0.2:80"));
    await waitFor(() => engineOf.instances("web")?.length === 2, { what: "web-2 to be back" });

    watcher.set([]);
    await settled(registrator);
    expect(engineOf.instances("web")).toMatchObject([manual]);
    expect(engineOf.instances("my-api")).toEqual([]);
  });

  test("a registration by heartbeat lives as long as the registrator does", async () => {
    const engineOf = await discovery();
    const watcher = new FakeWatcher();
    const registrator = startRegistrator({
      containers: watcher,
      registries: [discoveryRegistry({ discovery: engineOf, ttlMs: 900 })],
      options: { hostname: "host", internal: true },
      log: silentLogger,
    });
    watcher.set([web(2)]);
    await settled(registrator);
    const { rev } = engineOf.status();
    const until = performance.now() + 1500;
    await waitFor(
      () => {
        expect(engineOf.instances("web")).toHaveLength(1);
        return performance.now() > until;
      },
      { what: "more than one TTL" },
    );
    expect(engineOf.status().rev).toBe(rev);
    await registrator.close("keep");
    await waitFor(() => engineOf.instances("web")?.length === 0, { what: "it to expire", deadlineMs: 60_000 });
  }, 70_000);
});
