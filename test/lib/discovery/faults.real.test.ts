import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { type Clock, monotonicClock } from "../../../lib/discovery/engine/clock.ts";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { type Cluster, clusters } from "./clusters.ts";
import { collect, fold, instanceAt } from "./helpers.ts";

setDefaultTimeout(240_000);

const ttlMs = 4000;
/** How long a live instance may be shown as gone: a lease that the store lost all the same is replaced at once. */
const blinkMs = 3000;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
}, 60_000);

/** Our own clock, which somebody steps. */
function steppedClock(): Clock & { step(ms: number): void } {
  let offset = 0;
  return {
    now: () => monotonicClock.now() + offset,
    sleep: monotonicClock.sleep,
    step: (ms) => {
      offset += ms;
    },
  };
}

async function daemon(cluster: Cluster, leaseTtlMs: number, clock: Clock = monotonicClock): Promise<Engine> {
  const store = await openStore(cluster.url);
  const engine = await openEngine(store, { ttlMs, leaseTtlMs, startWaitMs: 20_000, brakeHoldMs: 8000, clock });
  undo.push(async () => {
    await engine.close();
    await store.close();
  });
  return engine;
}

/** Sends heartbeats to whichever daemon takes them, as clients do; `stop` makes it dead. */
function alive(service: string, instance: Instance, daemons: readonly Engine[]) {
  let n = 0;
  let stopped = false;
  const beat = async () => {
    for (let attempt = 0; attempt < daemons.length && !stopped; attempt++) {
      const engine = daemons[n % daemons.length];
      const isDone = await engine?.register(service, instance).then(
        () => true,
        () => false,
      );
      if (isDone) return;
      n++;
    }
  };
  const timer = setInterval(() => void beat(), 1000);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

/** How long each of `ids` was shown as gone, at most, by a watch's events. */
function longestAbsence(
  told: readonly { at: number; kind: string; id: string | undefined }[],
  ids: Set<string>,
): number {
  const goneAt = new Map<string, number>();
  let longest = 0;
  for (const { at, kind, id } of told) {
    if (id === undefined || !ids.has(id)) continue;
    if (kind === "down") goneAt.set(id, at);
    else if (kind === "up" && goneAt.has(id)) {
      longest = Math.max(longest, at - (goneAt.get(id) ?? at));
      goneAt.delete(id);
    }
  }
  const now = performance.now();
  for (const at of goneAt.values()) longest = Math.max(longest, now - at);
  return longest;
}

describe.each(clusters)("two daemons on three servers of $name", ({ leaseMs, slackMs, start }) => {
  let cluster: Cluster;
  let round = 0;
  beforeAll(async () => {
    cluster = await start();
  }, 300_000);
  afterAll(() => cluster.stop(), 60_000);

  /** Everything that must hold before, during and after a fault. */
  async function through(fault: (daemons: Engine[], clock: ReturnType<typeof steppedClock>) => Promise<void>) {
    const service = `web-${++round}`;
    const clock = steppedClock();
    const daemons = [await daemon(cluster, leaseMs, clock), await daemon(cluster, leaseMs)];
    const [one, two] = daemons;
    if (!one || !two) throw new Error("two daemons were asked for");
    await waitFor(() => one.addService(service).then(() => true), { what: "a service", deadlineMs: 20_000 });
    await waitFor(() => two.instances(service), { what: "the other to see it" });
    const live = [1, 2, 3, 4, 5, 6].map((n) => instanceAt(`10.0.${round}.${n}:80`));
    const dying = [7, 8].map((n) => instanceAt(`10.0.${round}.${n}:80`));
    for (const [n, one] of [...live, ...dying].entries()) {
      await waitFor(() => daemons[n % 2]?.register(service, one).then(() => true), { what: one.addr });
    }
    const deaths = dying.map((instance, n) => alive(service, instance, n % 2 ? [two, one] : [one, two]));
    const ends = live.map((instance, n) => alive(service, instance, n % 2 ? [two, one] : [one, two]));
    undo.push(() => {
      for (const end of [...ends, ...deaths]) end();
    });
    const stop = new AbortController();
    undo.push(() => stop.abort());
    const watches = daemons.map((engine) => collect(engine.watch(service, { signal: stop.signal })));
    const times: { at: number; kind: string; id: string | undefined }[][] = [[], []];
    for (const [n, engine] of daemons.entries()) {
      const ids = engine.watch(service, { signal: stop.signal, kinds: ["up", "down"] });
      void (async () => {
        for await (const { kind, instance } of ids) times[n]?.push({ at: performance.now(), kind, id: instance?.id });
      })();
    }
    const before = await one.setMeta(service, { data: "before", index: 0 });

    await fault(daemons, clock);

    for (const die of deaths) die();
    const diedAt = performance.now();
    const left = daemons.filter((engine) => engine.status().daemon !== "" && !closed.has(engine));
    const ids = (engine: Engine) => (engine.instances(service) ?? []).map(({ id }) => id).sort();
    const alone = live.map(({ id }) => id).sort();
    await waitFor(() => left.every((engine) => ids(engine).join() === alone.join()), {
      what: "the dead to be gone and the live to be there",
      deadlineMs: ttlMs + leaseMs + slackMs + 15_000,
    });
    expect(performance.now() - diedAt).toBeLessThan(ttlMs + leaseMs + slackMs + 15_000);
    const liveIds = new Set(alone);
    for (const [n, engine] of daemons.entries()) {
      if (left.includes(engine)) expect(longestAbsence(times[n] ?? [], liveIds)).toBeLessThan(blinkMs);
    }

    // A write that was fenced off by a later one is refused.
    const [reader] = left;
    if (!reader) throw new Error("no daemon is left");
    const after = await waitFor(() => reader.setMeta(service, { data: "after", index: before.index }), {
      what: "a write after the fault",
      deadlineMs: 20_000,
    });
    await expect(reader.setMeta(service, { data: "late", index: before.index })).rejects.toThrow(
      expect.objectContaining({ code: "precondition_failed" }),
    );

    const fresh = await daemon(cluster, leaseMs);
    const believed = () => left.map((engine) => fold(watches[daemons.indexOf(engine)]?.events ?? []));
    await waitFor(
      () => {
        const truth = { instances: fresh.instances(service) ?? [], leader: fresh.leader(service)?.instance.id };
        expect(truth.instances.map(({ id }) => id).sort()).toEqual(alone);
        for (const { instances, leader } of believed()) expect({ instances, leader }).toEqual(truth);
        expect(fresh.meta(service)).toEqual(after);
        return true;
      },
      { what: "watchers to equal a fresh read", deadlineMs: 20_000 },
    );
    expect(new Set(fresh.instances(service)?.map(({ index }) => index)).size).toBe(alone.length);
    stop.abort();
  }
  const closed = new Set<Engine>();
  const back = () =>
    waitFor(() => cluster.leader().then(() => true), { what: "the cluster to have a leader", deadlineMs: 60_000 });

  test("a state is said through the daemon that does not have the instance, and changes no hands", async () => {
    const service = `states-${++round}`;
    const [one, two] = [await daemon(cluster, leaseMs), await daemon(cluster, leaseMs)];
    await waitFor(() => one.addService(service).then(() => true), { what: "a service", deadlineMs: 20_000 });
    const instance = instanceAt("10.9.0.1:80");
    await one.register(service, instance);
    await waitFor(() => two.instances(service)?.length === 1, { what: "the other to see it" });
    const end = alive(service, instance, [one]);
    undo.push(end);
    await two.setState(service, instance.id, { state: "maintenance", reason: "disk" });
    const seen = () => one.instances(service, { detail: true })?.[0];
    await waitFor(() => seen()?.state === "maintenance", { what: "the first to see the state" });
    expect(seen()).toMatchObject({
      reason: "disk",
      owner: one.status().daemon,
      index: two.instances(service)?.[0]?.index,
    });
    await two.setState(service, instance.id, { state: "up" });
    await waitFor(() => seen()?.state === "up" && two.leader(service), { what: "it to be up, and to lead" });
    end();
    await waitFor(() => two.instances(service)?.length === 0, {
      what: "it to go when its heartbeats end",
      deadlineMs: ttlMs + 15_000,
    });
  });

  test("nothing happens", () => through(async () => undefined));

  test("its leader is killed, and comes back", () =>
    through(async () => {
      const leader = await cluster.leader();
      await leader.kill();
      await back();
      await leader.start();
    }));

  test("its leader is stopped for longer than the lease, and goes on", () =>
    through(async () => {
      const leader = await cluster.leader();
      await leader.pause();
      undo.push(() => leader.resume());
      const until = performance.now() + leaseMs * 1.5;
      await waitFor(() => performance.now() > until, { what: "the lease's time", deadlineMs: leaseMs * 2 });
      leader.resume();
      await back();
    }));

  test("all of it is killed and started on its data", () =>
    through(async () => {
      await Promise.all(cluster.members.map((member) => member.kill()));
      for (const member of cluster.members) member.launch();
      await Promise.all(cluster.members.map((member) => member.untilReady()));
      await back();
    }));

  test("a daemon's own clock is stepped, forth and back", () =>
    through(async (_daemons, clock) => {
      clock.step(3_600_000);
      const until = performance.now() + ttlMs * 1.5;
      await waitFor(() => performance.now() > until, { what: "a TTL and a half", deadlineMs: ttlMs * 3 });
      clock.step(-3_600_000);
    }));

  test("one of the daemons dies: the other has them all", () =>
    through(async ([one]) => {
      if (!one) return;
      closed.add(one);
      await one.close();
    }));
});
