import { describe, expect, test } from "bun:test";
import { flag, integer, text } from "../../../lib/cli/index.ts";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { cleanupFlag } from "../../../tools/registrator/commands/cleanupFlag.ts";
import { closeAll, openRegistries, type RegistryFlags } from "../../../tools/registrator/commands/openRegistries.ts";
import { startRegistrator } from "../../../tools/registrator/index.ts";
import { type Desired, planOf } from "../../../tools/registrator/reconcile/planOf.ts";
import type { Entry } from "../../../tools/registrator/registries/registry.ts";
import { container, FakeRegistry, FakeWatcher, network } from "./fakes.ts";

describe("several registries in one process", () => {
  test("each has its own network, address and names; one that fails does not hold up the other", async () => {
    const watcher = new FakeWatcher();
    const [inner, outer] = [new FakeRegistry(), new FakeRegistry()];
    const registrator = startRegistrator({
      containers: watcher,
      registries: [
        { registry: inner, options: { internal: true, network: "back" } },
        { registry: outer, options: { hostIp: "10.0.0.1", explicit: true } },
      ],
      options: { hostname: "host" },
      log: silentLogger,
      reconciler: { retryFirstMs: 2, retryCapMs: 20, callTimeoutMs: 40 },
    });
    const both = container({
      networks: [network("back", "172.18.0.2"), network("front", "172.19.0.2")],
      ports: [{ port: "80/tcp", hostIp: "0.0.0.0", hostPort: "8080" }],
    });
    watcher.set([both]);
    expect(await registrator.settled(2000)).toBe(true);
    expect([...inner.entries.keys()]).toEqual(["web/172.18.0.2:80"]);
    expect([...outer.entries.keys()]).toEqual([]);
    expect(registrator.status().containers).toMatchObject([
      { services: [{ address: "172.18.0.2:80", state: "registered" }], ignored: [{ port: "80/tcp" }] },
    ]);

    inner.fail = () => new Error("away");
    watcher.set([{ ...both, env: ["SERVICE_NAME=shop"] }]);
    await registrator.settled(200);
    expect([...outer.entries.keys()]).toEqual(["shop/10.0.0.1:8080"]);
    expect([...inner.entries.keys()]).toEqual(["web/172.18.0.2:80"]);
    inner.fail = () => undefined;
    expect(await registrator.settled(2000)).toBe(true);
    expect([...inner.entries.keys()]).toEqual(["shop/172.18.0.2:80"]);
    await registrator.close();
  });

  const own = {
    internal: flag({ description: "" }),
    ip: text({ description: "" }),
    ttl: integer({ description: "", default: 0 }),
    ttlRefresh: integer({ description: "", default: 0 }),
  };
  const values = {
    uri: "consul://127.0.0.1:1?internal",
    registry: [
      "etcd3://a:b@127.0.0.1:1,127.0.0.2/x?ip=10.0.0.9&ttl=30&ttl-refresh=10&tls=&colour=red&ns=team&partition=p",
    ],
    internal: false,
    ip: undefined,
    ttl: 0,
    ttlRefresh: 0,
    retryInterval: 2000,
    deregister: "always",
    hostname: "host",
    resync: 0,
    cleanup: true,
    cleanupDryRun: false,
  } as unknown as RegistryFlags;

  test("a URI's query sets flags for that registry alone; what is none is told of", async () => {
    const told: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => void told.push(message), child: () => silentLogger };
    const opened = await openRegistries({ log }, values, own);
    expect(
      opened.map(({ uri, options }) => [uri.split("?")[0], options.internal, options.hostIp, options.ttl]),
    ).toEqual([
      ["consul://127.0.0.1:1", true, "", 0],
      ["etcd3://127.0.0.1:1,127.0.0.2/x", false, "10.0.0.9", 30],
    ]);
    expect(told).toEqual(["no setting of a registry: colour"]);
    await closeAll(opened);
  });

  test("a host name that stands for loopback is told of, where its address is registered", async () => {
    const told: string[] = [];
    const log = { ...silentLogger, warn: (message: string) => void told.push(message), child: () => silentLogger };
    const open = async (uri: string, more: Partial<RegistryFlags>) => {
      const all = { ...values, uri, registry: [], hostname: "localhost", ...more } as RegistryFlags;
      await closeAll(await openRegistries({ log }, all, own));
    };
    await open("consul://127.0.0.1:1?internal", {});
    await open("consul://127.0.0.1:1", { ip: "10.0.0.1" });
    expect(told).toEqual([]);
    await open("consul://127.0.0.1:1", {});
    expect(told).toEqual([expect.stringMatching(/^"localhost" resolves to (127\.0\.0\.1|::1), .* give -ip$/)]);
  });

  // discoverd's client and ZooKeeper's say it too, after seconds.
  test.each(["consul", "consul-unix", "etcd2", "etcd", "consulkv"])(
    "%s: one that does not answer is named",
    async (scheme) => {
      const host = scheme === "consul-unix" ? "/nowhere.sock" : "127.0.0.1:1";
      const all = { ...values, uri: `${scheme}://${host}/x`.replace("sock/x", "sock"), registry: [] } as RegistryFlags;
      const [one] = await openRegistries({ log: silentLogger }, all, own);
      const asked = async () => {
        await one?.opened.registry.ready?.(AbortSignal.timeout(5000));
        await one?.opened.registry.list(AbortSignal.timeout(5000));
      };
      await expect(asked()).rejects.toThrow(`${host} cannot be reached: `);
      await one?.opened.close();
    },
  );

  test.each<[string, string]>([
    ["consul://h?ttl=x", "bad adapter uri: ttl: "],
    ["consul://h?ttl=5", "-ttl and -ttl-refresh must be specified together or not at all"],
    ["consul://a,b", "consul takes one agent"],
    ["consulkv://h", "consulkv: prefix required"],
    ["consulkv-unix:///run/consul.sock", "consulkv: prefix required"],
    ["skydns2://h", "skydns2: dns domain required e.g.: skydns2://<host>/<domain>"],
    ["coredns://h/", "coredns: dns domain required e.g.: coredns://<host>/<domain>"],
    ["etcd://h:0/x", "bad adapter uri"],
    ["etcd://h/x?cert=/nowhere", "cert file /nowhere cannot be read"],
    ["zookeeper:///x", "zookeeper: host required"],
    ["zookeeper://h/../x", "bad adapter uri: /../x is no path of ZooKeeper"],
    ["nope://h", "unrecognized adapter: nope://h"],
    ["consul://h?ip=10.0.0.x", '-ip "10.0.0.x": expected an IP address'],
  ])("%s is refused: %s", async (uri, message) => {
    const all = { ...values, uri, registry: [] } as RegistryFlags;
    await expect(openRegistries({ log: silentLogger }, all, own)).rejects.toThrow(message);
  });

  test("-cleanup=dry-run is a flag of its own", () => {
    expect(cleanupFlag(["-cleanup", "--cleanup=dry-run", "-cleanup=false", "consul:"], {})).toEqual([
      "-cleanup",
      "-cleanup-dry-run",
      "-cleanup=false",
      "consul:",
    ]);
  });

  test("REGISTRATOR_CLEANUP=dry-run is a variable of its own", () => {
    const env = { REGISTRATOR_CLEANUP: "dry-run", OTHER: "x" };
    cleanupFlag([], env);
    expect(env).toEqual({ REGISTRATOR_CLEANUP_DRY_RUN: "true", OTHER: "x" } as never);
    const plain = { REGISTRATOR_CLEANUP: "true" };
    cleanupFlag([], plain);
    expect(plain).toEqual({ REGISTRATOR_CLEANUP: "true" });
  });
});

test("where stamps cannot be: what we wrote is ours, also after a restart, as long as it stands there as we would write it", async () => {
  class Bare extends FakeRegistry {
    override async list() {
      return (await super.list()).map((each) => ({ ...each, owner: "", containerId: "", containerName: "" }));
    }
    override entryOf: FakeRegistry["entryOf"] = (service, origin) => {
      const looks = `${service.name} ${service.ip}:${service.port}`;
      const { containerId, containerName, owner } = origin;
      const address = `${service.ip}:${service.port}`;
      const stamp = { owner, containerId, containerName };
      return { key: looks, ...stamp, service: service.name, address, fingerprint: looks, looks, payload: undefined };
    };
  }
  const registry = new Bare();
  for (const run of [1, 2]) {
    const watcher = new FakeWatcher();
    const registrator = startRegistrator({
      containers: watcher,
      registries: [registry],
      options: { hostname: "host", internal: true, resyncMs: 10 },
      log: silentLogger,
    });
    const one = container();
    const two = container({ id: "2".repeat(64), networks: [network("bridge", "172.17.0.3")] });
    watcher.set([one, two]);
    expect(await registrator.settled(2000)).toBe(true);
    const { lists } = registry;
    while (registry.lists < lists + 3) await new Promise((resolve) => setImmediate(resolve));
    watcher.set(run === 1 ? [one, two] : [two]);
    expect(await registrator.settled(2000)).toBe(true);
    await registrator.close();
  }
  expect([...registry.entries.keys()]).toEqual(["web 172.17.0.3:80"]);
  expect(registry.writes).toBe(3);
});

describe("planOf: whose is what", () => {
  const entry = (changes: Partial<Entry> = {}): Entry => ({
    key: "web/1",
    owner: "e@host",
    containerId: "c1",
    containerName: "web-1",
    service: "web",
    address: "10.0.0.1:80",
    fingerprint: "new",
    looks: "same",
    payload: undefined,
    ...changes,
  });
  const plan = (there: Entry, wanted: Entry[] = [entry()], more: Partial<Desired> = {}) => {
    const entries = new Map(wanted.map((each) => [each.key, each]));
    const { steps, refused, spared } = planOf(
      { owner: "e@host", entries, keep: new Set(), ...more },
      new Map([[there.key, there]]),
    );
    return [
      ...steps.map(({ kind }) => kind),
      ...[...refused.keys()].map(() => "refused"),
      ...spared.map(() => "spared"),
    ];
  };

  test.each<[string, Partial<Entry>, string]>([
    ["ours, as it is", {}, ""],
    ["ours, changed", { fingerprint: "old" }, "register"],
    ["nobody's that looks the same: the original's", { owner: "", fingerprint: "bare" }, "register"],
    ["nobody's that looks otherwise", { owner: "", fingerprint: "bare", looks: "other" }, "refused"],
    ["another engine's", { owner: "f@host", fingerprint: "old" }, "refused"],
    [
      "our engine's under the host's former name, of this container",
      { owner: "e@old", fingerprint: "old" },
      "register",
    ],
    ["a clone's, of its own container", { owner: "e@clone", fingerprint: "old", containerId: "c2" }, "refused"],
    ["an owner by --owner without @", { owner: "e", fingerprint: "old" }, "refused"],
  ])("what is wanted is there: %s", (_, there, step) => {
    expect(plan(entry(there)).join()).toBe(step);
  });

  test.each<[string, Partial<Entry>, Partial<Desired>, string]>([
    ["ours", {}, {}, "deregister"],
    ["of a container that is kept", {}, { keep: new Set(["c1"]) }, ""],
    ["another's", { owner: "f@host" }, {}, ""],
    ["a clone's", { owner: "e@clone" }, {}, ""],
    ["nobody's", { owner: "" }, {}, ""],
    ["nobody's, adopted", { owner: "" }, { adopts: () => true }, "deregister"],
    ["another's is never adopted", { owner: "f@host" }, { adopts: () => true }, ""],
    ["ours, in a dry run", {}, { spares: () => true }, "spared"],
  ])("what is there is not wanted: %s", (_, there, more, step) => {
    expect(plan(entry(there), [], more).join()).toBe(step);
  });
});
