import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { connectZooKeeper } from "../../../../lib/zookeeper/index.ts";
import { type RegistratorOptions, type Registry, startRegistrator } from "../../../../tools/registrator/index.ts";
import { openRegistry, type RegistryOptions } from "../../../../tools/registrator/registries/openRegistry.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { container, FakeWatcher, network } from "../fakes.ts";
import { consulKv, etcd2, etcd3, type RawRegistry, zooKeeper } from "./servers.ts";

function web(n: number, env: string[] = []) {
  return container({
    id: String(n).padStart(64, "0"),
    name: `web-${n}`,
    hostname: `inside-${n}`,
    env: ["SERVICE_NAME=web", ...env],
    networks: [network("bridge", `172.17.0.${n}`)],
    startedAt: String(n).padStart(4, "0"),
  });
}

const open = async (uri: string, changes: Partial<RegistryOptions> = {}) =>
  await openRegistry(uri, { ttl: 0, ttlRefresh: 0, log: silentLogger, ...changes });

/** A registrator over a real registry, with containers that the test makes. */
async function start(uri: string, options: RegistratorOptions = {}, changes: Partial<RegistryOptions> = {}) {
  const opened = await open(uri, { ...changes, compat: options.compat ?? false });
  let lists = 0;
  const counted: Registry = Object.create(opened.registry, {
    list: {
      value: (signal: AbortSignal) => {
        lists++;
        return opened.registry.list(signal);
      },
    },
  });
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [counted],
    options: { internal: true, hostname: "host", ...options },
    log: silentLogger,
  });
  return {
    watcher,
    registrator,
    lists: () => lists,
    settled: async () => expect(await registrator.settled(10_000)).toBe(true),
    async end(policy?: "keep" | "deregister") {
      await registrator.close(policy);
      await opened.close();
    },
  };
}

const hostPort = (n: number) => [`/PATH/web/host:web-${n}:80`, `172.17.0.${n}:80`] as const;
const record = (n: number) => [`/skydns/PATH/web/host:web-${n}:80`, `{"host":"172.17.0.${n}","port":80}`] as const;
const safeRecord = (n: number) => [`/skydns/PATH/web/host-web-${n}-80`, record(n)[1]] as const;
const znode = (n: number) =>
  [
    `/PATH/web/172.17.0.${n}:80`,
    `{"Name":"web","IP":"172.17.0.${n}","PublicPort":80,"PrivatePort":80,"ContainerID":"${web(n).id}","Tags":[],"Attrs":{}}`,
  ] as const;

interface Kind {
  start: () => Promise<RawRegistry>;
  scheme?: string;
  pair: (n: number) => readonly [string, string];
}

const kinds: Record<string, Kind> = {
  consulkv: { start: consulKv, pair: hostPort },
  "etcd, v2": { start: etcd2, pair: hostPort },
  "etcd, v3 of 3.4": { start: () => etcd3("3.4"), pair: hostPort },
  "etcd, v3 of 3.7": { start: () => etcd3("3.7"), scheme: "etcd3", pair: hostPort },
  "skydns2, v2": { start: etcd2, scheme: "skydns2", pair: record },
  "skydns2, v3": { start: () => etcd3("3.7"), scheme: "skydns2", pair: safeRecord },
  zookeeper: { start: zooKeeper, pair: znode },
};

describe.each(Object.keys(kinds))("%s", (name) => {
  const { scheme, pair, start: startServer } = kinds[name] as Kind;
  let raw: RawRegistry;
  beforeAll(async () => {
    raw = await startServer();
  }, 600_000);
  afterAll(() => raw?.stop(), 30_000);

  let places = 0;
  /** A place of its own for each test. */
  function place() {
    const path = `place${++places}`;
    const put = (text: string) => text.replace("PATH", path);
    return {
      uri: raw.uri(`/${path}`, scheme),
      top: put(pair(1)[0]).split("/web/")[0] ?? "",
      pair: (n: number) => [put(pair(n)[0]), pair(n)[1]] as const,
      pairs: (...all: number[]) => Object.fromEntries(all.map((n) => [put(pair(n)[0]), pair(n)[1]])),
    };
  }

  test("keys and values are the original's; nothing is written when nothing changed; what others take out or change is mended", async () => {
    const { uri, top, pair: pairOf, pairs } = place();
    const run = await start(uri, { resyncMs: 60 });
    run.watcher.set([web(2), web(3)]);
    await run.settled();
    expect(await raw.read(top)).toEqual(pairs(2, 3));

    const before = await raw.revision();
    const looks = run.lists();
    await waitFor(() => run.lists() > looks + 5, { what: "several resyncs" });
    expect(await raw.revision()).toBe(before);

    await raw.remove(pairOf(2)[0]);
    await waitFor(async () => Bun.deepEquals(await raw.read(top), pairs(2, 3)), { what: "the key to be back" });
    await raw.write(pairOf(3)[0], "theirs");
    await waitFor(async () => Bun.deepEquals(await raw.read(top), pairs(2, 3)), { what: "the value to be back" });

    run.watcher.set([web(3), web(4)]);
    await run.settled();
    expect(await raw.read(top)).toEqual(pairs(3, 4));
    await run.end("deregister");
    expect(await raw.read(top)).toEqual({});
  }, 30_000);

  test("two owners on one registry, and keys by hand: each leaves the other's; a clean start takes out only its own", async () => {
    const { uri, top, pair: pairOf, pairs } = place();
    await raw.write(pairOf(9)[0], "by hand");
    const one = await start(uri, { owner: "one" });
    const two = await start(uri, { owner: "two" });
    one.watcher.set([web(2), web(3), web(9)]);
    await one.settled();
    two.watcher.set([web(3), web(4)]);
    await two.settled();
    const byHand = { [pairOf(9)[0]]: "by hand" };
    expect(await raw.read(top)).toEqual({ ...pairs(2, 3, 4), ...byHand });
    await waitFor(() => two.registrator.status().containers[0]?.services[0]?.state === "refused", {
      what: "a refusal",
    });
    expect(two.registrator.status().containers[0]?.services[0]).toMatchObject({
      reason: "web at 172.17.0.3:80 is already registered by engine one",
    });
    await waitFor(() => one.registrator.status().containers[2]?.services[0]?.state === "refused", {
      what: "a refusal",
    });

    // The first ends and starts again, under another host name and without its containers.
    await one.end("keep");
    const again = await start(uri, { owner: "one", hostname: "renamed" });
    again.watcher.set([]);
    await waitFor(async () => Bun.deepEquals(await raw.read(top), { ...pairs(3, 4), ...byHand }), {
      what: "its own to be out, and the one that is free again with the other",
    });
    await again.end("deregister");
    await two.end("deregister");
    expect(await raw.read(top)).toEqual(byHand);
  }, 40_000);

  test("the registry killed under churn: equal to Docker within 2 s of its return", async () => {
    const { uri, top, pairs } = place();
    const run = await start(uri);
    run.watcher.set([web(2), web(3), web(4)]);
    await run.settled();
    await raw.daemon.kill();
    for (let n = 5; n < 30; n++) {
      run.watcher.set([web(4), web(n)]);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await raw.daemon.start();
    const back = Date.now();
    await waitFor(async () => Bun.deepEquals(await raw.read(top), pairs(4, 29)), { what: "the state of now" });
    // ZooKeeper's clients look for a server only once in a while.
    expect(Date.now() - back).toBeLessThan(name === "zookeeper" ? 4000 : 2000);
    await run.end("deregister");
  }, 60_000);

  // SkyDNS' keys are etcd's.
  if (scheme?.startsWith("skydns")) return;
  test("the registry hangs under churn, and its connections with it: equal to Docker within 2 s of its return", async () => {
    const { uri, top, pairs } = place();
    const run = await start(uri);
    run.watcher.set([web(2), web(3)]);
    await run.settled();
    await raw.daemon.pause();
    for (let n = 4; n < 30; n++) {
      run.watcher.set([web(3), web(n)]);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    // Long enough for calls to be given up.
    await waitFor(() => run.registrator.status().registries[0]?.lastError, {
      what: "it to be missed",
      deadlineMs: 40_000,
    });
    raw.daemon.resume();
    const back = Date.now();
    await waitFor(async () => Bun.deepEquals(await raw.read(top), pairs(3, 29)), { what: "the state of now" });
    expect(Date.now() - back).toBeLessThan(name === "zookeeper" ? 4000 : 2000);
    await run.end("deregister");
  }, 90_000);
});

describe("the original's entries", () => {
  let raw: RawRegistry;
  beforeAll(async () => {
    raw = await etcd2();
  }, 600_000);
  afterAll(() => raw?.stop(), 30_000);
  const read = (path: string) => raw.read(path);

  test("those of living containers are taken over as they are; -cleanup takes out the others under this host's name", async () => {
    for (const [name, cleanup, left] of [
      ["ours", "ours", ["other:web-8:80", "host:web-9:80", "host:x"]],
      ["dry", "dry-run", ["other:web-8:80", "host:web-9:80", "host:x"]],
      ["adopt", "adopt", ["other:web-8:80", "host:x"]],
    ] as const) {
      for (const id of ["host:web-2:80", "other:web-8:80", "host:web-9:80", "host:x"]) {
        await raw.write(`/${name}/web/${id}`, id === "host:web-2:80" ? "172.17.0.2:80" : "10.0.0.1:80");
      }
      const run = await start(raw.uri(`/${name}`), { cleanup });
      const stop = new AbortController();
      const dangling: string[] = [];
      const events = (async () => {
        for await (const event of run.registrator.events(stop.signal))
          if (event.kind === "dangling") dangling.push(event.text);
      })();
      run.watcher.set([web(2), web(3)]);
      await run.settled();
      const keys = Object.keys(await read(`/${name}`)).map((key) => key.replace(`/${name}/web/`, ""));
      expect(keys.sort()).toEqual(["host:web-2:80", "host:web-3:80", ...left].sort());
      await run.end("deregister");
      stop.abort();
      await events;
      expect(dangling).toEqual(cleanup === "dry-run" ? ["dangling: host:web-9:80, left because of the dry run"] : []);
      expect(Object.keys(await read(`/${name}`)).length).toBe(left.length);
    }
  }, 30_000);
});

describe("time to live", () => {
  test("etcd v2: with -ttl each key expires by itself, and is refreshed while we live", async () => {
    const raw = await etcd2();
    try {
      const run = await start(raw.uri("/t"), { ttl: 2 }, { ttl: 2, ttlRefresh: 1 });
      run.watcher.set([web(2)]);
      await run.settled();
      const since = Date.now();
      await waitFor(() => run.lists() > 1 || Date.now() - since > 1000, {
        what: "what it reads of its own first write",
      });
      const lists = run.lists();
      await waitFor(async () => Date.now() - since > 3500 || Object.keys(await raw.read("/t")).length !== 1, {
        what: "longer than the time to live",
      });
      expect(await raw.read("/t")).toEqual({ "/t/web/host:web-2:80": "172.17.0.2:80" });
      expect(run.lists()).toBe(lists); // else it was gone for a moment, and was written anew
      await run.end("keep");
      await waitFor(async () => Object.keys(await raw.read("/t")).length === 0, { what: "the key to expire" });
      expect(await raw.read("/_registrator/t")).toEqual({});
    } finally {
      await raw.stop();
    }
  }, 40_000);

  test("etcd v3: one lease for all; when it is lost, all is written again under another; without us it runs out", async () => {
    const raw = await etcd3("3.7");
    const post = async (path: string, body: unknown = {}) =>
      (await (await fetch(raw.uri(`/v3${path}`, "http"), { method: "POST", body: JSON.stringify(body) })).json()) as {
        leases?: { ID: string }[];
      };
    try {
      const run = await start(raw.uri("/t"), { ttl: 3 }, { ttl: 3, ttlRefresh: 1 });
      run.watcher.set([web(2), web(3), web(4)]);
      await run.settled();
      const { leases: [first] = [] } = await post("/lease/leases");
      expect((await post("/lease/leases")).leases).toHaveLength(1);
      const before = await raw.revision();
      await post("/lease/revoke", { ID: first?.ID });
      await waitFor(async () => Object.keys(await raw.read("/t")).length === 3, { what: "all to be back" });
      const { leases = [] } = await post("/lease/leases");
      expect(leases).toHaveLength(1);
      expect(leases[0]?.ID).not.toBe(first?.ID);
      // One transaction took them, three wrote them; the keepalive writes nothing.
      expect(await raw.revision()).toBe(before + 4);
      await run.end("keep");
      await waitFor(async () => Object.keys(await raw.read("/t")).length === 0, { what: "the lease to run out" });
    } finally {
      await raw.stop();
    }
  }, 40_000);

  test("zookeeper: znodes are of our session, and are made again in another when it expired; --compat has the hostname", async () => {
    const raw = await zooKeeper();
    const zk = connectZooKeeper({ servers: [new URL(raw.uri("")).host], renew: true });
    try {
      const run = await start(raw.uri("/t"), { compat: true });
      run.watcher.set([web(2, ["SERVICE_TAGS=a,b", "SERVICE_REGION=<eu>"])]);
      await run.settled();
      const body =
        '{"Name":"web","IP":"172.17.0.2","PublicPort":80,"PrivatePort":80,"ContainerID":"inside-2","Tags":["b","a"],"Attrs":{"region":"\\u003ceu\\u003e"}}';
      expect(await raw.read("/t")).toEqual({ "/t/web/172.17.0.2:80": body });
      const owner = async () => {
        const { node } = await zk.getData("/t/web/172.17.0.2:80");
        return node?.stat.ephemeralOwner;
      };
      const before = await owner();
      expect(before).toMatch(/^[0-9a-f]{16}$/);
      // We stand still for longer than a session lasts.
      Bun.sleepSync(11_500);
      await waitFor(async () => (await owner()) !== undefined && (await owner()) !== before, {
        what: "the znode of another session",
        deadlineMs: 20_000,
      });
      expect(await raw.read("/t")).toEqual({ "/t/web/172.17.0.2:80": body });
      await run.end("keep");
      await waitFor(async () => Object.keys(await raw.read("/t")).length === 0, {
        what: "the session to run out",
        deadlineMs: 20_000,
      });
    } finally {
      zk.abandon();
      await raw.stop();
    }
  }, 60_000);
});
