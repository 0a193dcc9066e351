import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import {
  type Container,
  type ContainersState,
  type ContainerWatcher,
  createContainerWatcher,
  createDockerClient,
  type WatcherOptions,
} from "../../../lib/docker/index.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { FakeEngine, json } from "./fakeEngine.ts";
import { silentLog } from "./silentLog.ts";

let engine: FakeEngine;
let watchers: ContainerWatcher[] = [];
beforeEach(async () => {
  engine = await FakeEngine.start();
});
afterEach(async () => {
  await Promise.all(watchers.map((watcher) => watcher.close()));
  watchers = [];
  await engine.close();
});

function watch(options: Partial<WatcherOptions> = {}): ContainerWatcher {
  const watcher = createContainerWatcher(createDockerClient({ host: engine.url }), {
    log: silentLog(),
    backoffFirstMs: 10,
    backoffCapMs: 50,
    ...options,
  });
  watchers.push(watcher);
  return watcher;
}

const until = (watcher: ContainerWatcher, what: string, is: (state: ContainersState) => boolean, deadlineMs = 5000) =>
  waitFor(
    () => {
      const state = watcher.current();
      return state && is(state) ? state : undefined;
    },
    { what, deadlineMs, intervalMs: 2 },
  );
const connected = (watcher: ContainerWatcher) => until(watcher, "connection", (state) => state.connected);

/** What of a state can be compared with what the fake engine holds. */
const told = ({ containers }: ContainersState) =>
  Object.fromEntries(
    [...containers].map(([id, { name, state, labels }]) => [id, [name, state.running, state.exitCode, labels.starts]]),
  );
const held = () =>
  Object.fromEntries(
    [...engine.containers].map(([id, { name, running, exitCode, starts }]) => [
      id,
      [name, running, exitCode, String(starts)],
    ]),
  );
const exact = (watcher: ContainerWatcher, deadlineMs?: number) =>
  until(watcher, "the state to be the engine's", (state) => Bun.deepEquals(told(state), held()), deadlineMs);

describe("a watcher", () => {
  test("shows who was told to end, and who survived it", async () => {
    const id = engine.run("web");
    const watcher = watch({ stoppingMs: 80 });
    await connected(watcher);
    engine.tell("kill", id, { signal: "15" });
    await until(watcher, "the mark", (state) => state.containers.get(id)?.stopping?.signal === 15);
    await until(watcher, "the mark to go", (state) => state.containers.get(id)?.stopping === undefined);
    expect(watcher.current()?.containers.get(id)?.state.running).toBe(true);
  });

  test("gives nothing before the whole list is read, then all of it, then changes", async () => {
    for (let i = 0; i < 30; i++) engine.run();
    const end = new AbortController();
    const states = watch().states(end.signal)[Symbol.asyncIterator]();
    const first = (await states.next()).value as ContainersState;
    expect(first.connected).toBe(true);
    expect(first.engine).toEqual({ id: "FAKE", name: "host", version: "", apiVersion: "1.52" });
    expect(first.containers.size).toBe(30);
    expect(first.changed.size).toBe(30);
    expect(first.eventAt).toBeUndefined();

    const before = Date.now();
    const id = engine.run("late");
    let next = (await states.next()).value as ContainersState;
    while (!next.containers.get(id)?.state.running) next = (await states.next()).value;
    expect([...next.changed]).toEqual([id]);
    // Nanoseconds since 1970 are beyond a double's 53 bits: the engine's own time is off by less than a microsecond.
    expect(next.eventAt).toBeGreaterThanOrEqual(before - 0.001);
    expect(next.version).toBeGreaterThan(first.version);
    end.abort();
    expect((await states.next()).done).toBe(true);
  });

  test("shows a death before any inspect, though inspects hang", async () => {
    const id = engine.run();
    const watcher = watch();
    await connected(watcher);
    engine.intercept = (path) => path.startsWith("/containers/");
    const began = performance.now();
    engine.die(id, 137);
    const state = await until(watcher, "the death", ({ containers }) => containers.get(id)?.state.running === false);
    expect(performance.now() - began).toBeLessThan(200);
    expect(state.containers.get(id)?.state).toMatchObject({ status: "exited", exitCode: 137 });
  });

  test("a start that an inspect tells is told before its state, once; none before a new session's list is whole", async () => {
    const started: string[] = [];
    const watcher = watch({ onStarted: ({ id }) => started.push(id) });
    await connected(watcher);
    const running = (id: string) =>
      until(watcher, "the start", ({ connected: is, containers }) => is && containers.get(id)?.state.running === true);
    const first = engine.run();
    await running(first);
    engine.rename(first, "again");
    await exact(watcher);
    expect(started).toEqual([first]);

    const list = Promise.withResolvers<void>();
    engine.intercept = async (path) => {
      if (path === "/containers/json") await list.promise;
      return false;
    };
    for (const stream of engine.streams) stream.destroy();
    await until(watcher, "the loss", (state) => !state.connected);
    await waitFor(() => engine.streams.size === 1, { what: "the new subscription" });
    const second = engine.run();
    await until(watcher, "the inspect", ({ containers }) => containers.get(second)?.state.running === true);
    list.resolve();
    await running(second);
    const third = engine.run();
    await running(third);
    expect(started).toEqual([first, third]);
  });

  test("shows a start that it foresaw before any inspect, and inspects it soon after", async () => {
    const id = engine.create("web");
    const foreseen: Container[] = [];
    const watcher = watch({ foresee: true, onStarted: (container) => foreseen.push(container) });
    await connected(watcher);
    const inspects = () => engine.requests.filter((each) => each.endsWith(`/containers/${id}/json`)).length;
    const before = inspects();
    engine.connect(id);
    const { upcoming, containers } = await until(
      watcher,
      "what it will be",
      (state) => state.upcoming?.has(id) ?? false,
    );
    expect(containers.get(id)?.state.running).toBe(false);
    expect(upcoming?.get(id)).toMatchObject({ pid: 0, networks: [{ ipv4: "172.17.0.2", ipv4PrefixLength: 16 }] });
    expect(inspects()).toBe(before);

    let hold = true;
    engine.intercept = (path) => hold && path.startsWith("/containers/");
    engine.start(id);
    const running = await until(watcher, "the start", (state) => state.containers.get(id)?.state.running === true);
    expect(running.containers.get(id)).toBe(upcoming?.get(id) as never);
    expect(running.upcoming?.size).toBe(0);
    expect(foreseen).toEqual([upcoming?.get(id) as Container]);
    hold = false;
    engine.intercept = () => false;
    engine.rename(id, "web-2");
    await exact(watcher);
    await until(watcher, "its PID", (state) => state.containers.get(id)?.pid === 7);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ["fails", (response) => json(response, { message: "no" }, 500)],
    ["is larger than is read", (response) => json(response, { Containers: {}, rest: "x".repeat(70_000) })],
    ["makes no sense", (response) => response.end('{"Containers":{"')],
    ["does not have it", (response) => json(response, { Containers: null })],
  ])("inspects who is started where its network's answer %s", async (_, answer) => {
    const id = engine.create("web");
    const watcher = watch({ foresee: true });
    await connected(watcher);
    engine.intercept = (path, response) => {
      if (path !== "/networks/n1") return false;
      answer(response);
      return true;
    };
    engine.connect(id);
    engine.start(id);
    await exact(watcher);
    expect(watcher.current()?.upcoming?.size).toBe(0);
  });

  test("a start that comes before its network's answer is inspected as ever; one that fails leaves nothing behind", async () => {
    const [late, failing] = [engine.create("late"), engine.create("failing")];
    const watcher = watch({ foresee: true });
    await connected(watcher);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    engine.intercept = async (path) => {
      if (path === "/networks/n1") await held;
      return false;
    };
    engine.connect(late);
    engine.start(late);
    await exact(watcher);
    release();
    engine.connect(failing);
    await until(watcher, "what it would be", (state) => state.upcoming?.has(failing) ?? false);
    engine.tell("disconnect", "n1", { container: failing, name: "bridge", type: "bridge" }, "network");
    await until(watcher, "it to be forgotten", (state) => state.upcoming?.size === 0);
    await exact(watcher);
  });

  test("loses no event that comes while it lists and inspects", async () => {
    const ids = Array.from({ length: 10 }, () => engine.run());
    let listed = false;
    engine.intercept = async (path) => {
      if (path === "/containers/json" && !listed) {
        listed = true;
        // The list is of now; what follows happens before it arrives.
        setTimeout(() => {
          engine.die(ids[0] ?? "", 3);
          engine.destroy(ids[1] ?? "");
          engine.rename(ids[2] ?? "", "renamed");
          engine.run("newcomer");
        });
      }
      if (path.includes(ids[3] ?? "-")) await Bun.sleep(100);
      return false;
    };
    const watcher = watch();
    await connected(watcher);
    await exact(watcher);
    expect(watcher.current()?.containers.size).toBe(10);
  });

  test("asks for what the stream missed before the engine had subscribed it", async () => {
    const watcher = watch();
    await connected(watcher);
    const query = new Promise<string>((resolve) => {
      engine.intercept = (path, _response, request) => {
        if (path === "/events") resolve(request.url ?? "");
        return false;
      };
    });
    await engine.down();
    await engine.listen();
    const { searchParams } = new URL(await query, "http://docker");
    expect(Math.abs(Number(searchParams.get("since")) * 1000 - Date.now())).toBeLessThan(10_000);
  });

  test("waits for an engine that is absent, says why, and goes on by itself", async () => {
    await engine.down();
    const watcher = watch();
    const state = await until(watcher, "the reason", ({ reason }) => reason !== undefined);
    expect(state).toMatchObject({ connected: false, reason: `Docker at ${engine.url}: there is no socket` });
    engine.run();
    await engine.listen();
    await connected(watcher);
    await exact(watcher);
  });

  test("keeps the last known containers over a restart, then takes the new engine's, another id and version too", async () => {
    engine.run();
    const watcher = watch();
    await connected(watcher);
    const { version } = watcher.current() ?? { version: 0 };
    await engine.down();
    const lost = await until(watcher, "the loss", (state) => !state.connected);
    expect(lost.containers.size).toBe(1);
    expect(lost.reason).toBeDefined();
    expect(lost.engine?.id).toBe("FAKE");
    engine.containers.clear();
    engine.run("other");
    engine.id = "OTHER";
    engine.version = { Version: "older", ApiVersion: "1.41" };
    await engine.listen();
    const state = await connected(watcher);
    expect(state.engine).toMatchObject({ id: "OTHER", apiVersion: "1.41" });
    expect(state.version).toBeGreaterThan(version);
    await exact(watcher);
  });

  test("that says why not is told again only when the reason changes", async () => {
    const log = silentLog();
    await engine.down();
    const watcher = watch({ log });
    await until(watcher, "the reason", ({ reason }) => reason !== undefined);
    const { version } = watcher.current() ?? {};
    const tries = engine.requests.length;
    await engine.listen();
    engine.version = { ApiVersion: "1.10" };
    await until(watcher, "another reason", ({ reason }) => reason?.includes("too old") ?? false);
    await waitFor(() => engine.requests.length > tries + 3, { what: "more tries" });
    expect(watcher.current()?.version).toBe((version ?? 0) + 1);
    expect(log.lines.filter(({ level }) => level === "warn").length).toBe(2);
  });

  test("finds out that the engine hangs, though the stream stays open", async () => {
    const watcher = watch({ pingMs: 50, pingTimeoutMs: 50 });
    await connected(watcher);
    engine.intercept = () => true; // takes requests and never answers
    const lost = await until(watcher, "the loss", (state) => !state.connected);
    expect(lost.reason).toContain("no answer within 50 ms");
    engine.intercept = () => false;
    engine.run();
    await connected(watcher);
    await exact(watcher);
  });

  test("one missed ping of a busy engine is forgiven", async () => {
    const watcher = watch({ pingMs: 30, pingTimeoutMs: 50 });
    await connected(watcher);
    let pings = 0;
    engine.intercept = (path) => path === "/_ping" && ++pings === 1;
    await waitFor(() => pings > 3, { what: "more pings" });
    expect(engine.requests.filter((request) => request.endsWith("/events")).length).toBe(1);
    expect(watcher.current()?.connected).toBe(true);
  });

  test("makes good by listing again what a stream that went silent did not tell, without a gap in the connection", async () => {
    const gone = engine.run();
    const watcher = watch({ relistMs: 100 });
    await connected(watcher);
    const seen = new Set<boolean>();
    const end = new AbortController();
    const consumer = (async () => {
      for await (const state of watcher.states(end.signal)) seen.add(state.connected);
    })();
    engine.mute = true;
    engine.destroy(gone);
    engine.run("unheard");
    await exact(watcher);
    end.abort();
    await consumer;
    expect([...seen]).toEqual([true]);
  });

  test("gives no new state when listing again finds everything as it was", async () => {
    for (let i = 0; i < 5; i++) engine.run();
    const watcher = watch({ relistMs: 30 });
    const { version, containers } = await connected(watcher);
    const [one] = containers.values();
    await waitFor(() => engine.requests.filter((request) => request.endsWith("/events")).length > 4, {
      what: "4 relists",
    });
    expect(watcher.current()?.version).toBe(version);
    expect([...(watcher.current()?.containers.values() ?? [])][0]).toBe(one as never);
  });

  test("lists anew when the stream carries garbage", async () => {
    const watcher = watch();
    await connected(watcher);
    engine.mute = true;
    engine.run("hidden");
    engine.write('{"Type":"container","Act\n');
    engine.mute = false;
    await exact(watcher);
  });

  test.each([
    ["garbage", (response: Parameters<typeof json>[0]) => json(response, { Id: 7 }), /inspect: Id/],
    ["truncated JSON", (response: Parameters<typeof json>[0]) => void response.end('{"Id":"a'), /is not JSON/],
    ["too much", (response: Parameters<typeof json>[0]) => json(response, { Id: "x".repeat(2 << 20) }), /larger than/],
  ])("leaves out a container whose inspect is %s, and only that", async (_name, answer, reason) => {
    const bad = engine.run();
    engine.run();
    engine.intercept = (path, response) => {
      if (!path.includes(bad)) return false;
      answer(response);
      return true;
    };
    const watcher = watch();
    const state = await connected(watcher);
    expect(state.unreadable.get(bad)).toMatch(reason);
    expect(state.containers.size).toBe(1);
    engine.intercept = () => false;
    engine.rename(bad, "well");
    await exact(watcher);
    expect(watcher.current()?.unreadable.size).toBe(0);
  });

  test("an inspect that fails keeps what is known, and is tried again until it does not", async () => {
    const id = engine.run();
    const watcher = watch();
    await connected(watcher);
    let failures = 0;
    engine.intercept = (path, response) => {
      if (!path.includes(id) || ++failures > 2) return false;
      json(response, { message: "layer store is busy" }, 500);
      return true;
    };
    engine.rename(id, "patience");
    const state = await until(watcher, "the failure", ({ unreadable }) => unreadable.has(id));
    expect(state.unreadable.get(id)).toContain("layer store is busy");
    expect(state.containers.has(id)).toBe(true);
    await exact(watcher);
    expect(watcher.current()?.unreadable.size).toBe(0);
    expect(failures).toBe(3);
  });

  test("an inspect that hangs holds up nobody else", async () => {
    const stuck = engine.run();
    engine.run();
    engine.intercept = (path) => path.includes(stuck);
    const watcher = watch({ inspectTimeoutMs: 100 });
    const state = await connected(watcher);
    expect(state.unreadable.get(stuck)).toContain("no answer within 100 ms");
    engine.run("third");
    await until(watcher, "the third", ({ containers }) =>
      [...containers.values()].some(({ name, state }) => name === "third" && state.running),
    );
  });

  test("inspects a bounded number at a time, and one container never twice at once", async () => {
    for (let i = 0; i < 60; i++) engine.run();
    const now = new Map<string, number>();
    let most = 0;
    let bound = 4;
    engine.intercept = async (path) => {
      if (!/^\/containers\/[^/]+\/json$/.test(path)) return false;
      now.set(path, (now.get(path) ?? 0) + 1);
      expect(now.get(path)).toBe(1);
      most = Math.max(most, now.size);
      // Until as many are under way as may be, so that the load of the machine does not matter; one more would come meanwhile.
      for (let i = 0; i < 20 && most < bound; i++) await Bun.sleep(5);
      await Bun.sleep(5);
      now.delete(path);
      return false;
    };
    const watcher = watch({ maxInspects: 12, maxListInspects: 4 });
    await connected(watcher);
    expect(most).toBe(4);
    bound = 12;
    for (const id of engine.containers.keys()) for (let i = 0; i < 5; i++) engine.rename(id, `n${i}`);
    await exact(watcher);
    expect(most).toBe(12);
  });

  test("a slow consumer gets the newest state, and what changed since its last one", async () => {
    const watcher = watch();
    const states = watcher.states(new AbortController().signal)[Symbol.asyncIterator]();
    await states.next();
    const lasting = engine.run();
    const passing = engine.run();
    engine.destroy(passing);
    await exact(watcher);
    const { value } = await states.next();
    expect([...(value as ContainersState).changed]).toEqual([lasting]);
    await states.return?.();
  });

  test("ends its consumers and itself on close, and leaves nothing that keeps a process alive", async () => {
    engine.run();
    const script = `
      const { createContainerWatcher, createDockerClient } = await import(${JSON.stringify(join(import.meta.dir, "../../../lib/docker/index.ts"))});
      const log = { debug() {}, info() {}, warn() {} };
      const watcher = createContainerWatcher(createDockerClient({ host: ${JSON.stringify(engine.url)} }), { log });
      for await (const state of watcher.states(new AbortController().signal)) {
        console.log(state.containers.size);
        await watcher.close();
      }
    `;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    expect(await new Response(child.stdout).text()).toBe("1\n");
    expect(await child.exited).toBe(0);
    await waitFor(() => engine.streams.size === 0, { what: "the stream to be closed" });
  });

  test("any burst, with answers delayed at random and the engine restarted, ends exactly as the engine is", async () => {
    const act = fc.record({
      do: fc.constantFrom("run", "die", "start", "rename", "destroy", "restart", "cut"),
      which: fc.nat(5),
      pauseMs: fc.constantFrom(0, 0, 0, 1, 3),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), fc.infiniteStream(fc.nat(6)), async (acts, delays) => {
        const fake = engine;
        fake.containers.clear();
        fake.intercept = async (path) => {
          if (path.startsWith("/containers/")) await Bun.sleep(delays.next().value ?? 0);
          return false;
        };
        const watcher = watch({ backoffFirstMs: 1, backoffCapMs: 5 });
        for (const each of acts) {
          const id = [...fake.containers.keys()][each.which] ?? "";
          if (each.do === "run") fake.run();
          else if (each.do === "die") fake.die(id, each.which);
          else if (each.do === "start") fake.start(id);
          else if (each.do === "rename") fake.rename(id, `r${each.which}`);
          else if (each.do === "destroy") fake.destroy(id);
          else if (each.do === "cut") for (const stream of fake.streams) stream.destroy();
          else {
            await fake.down();
            await fake.listen();
          }
          if (each.pauseMs > 0) await Bun.sleep(each.pauseMs);
        }
        await connected(watcher);
        await exact(watcher);
        await watcher.close();
      }),
      { numRuns: 40 },
    );
  }, 30_000);
});
