import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  connectZooKeeper,
  MultiError,
  type SessionState,
  type WatchEvent,
  type ZooKeeper,
  ZooKeeperError,
  type ZooKeeperOptions,
} from "../../../lib/zookeeper/index.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { type ZooKeeper as Servers, startZooKeeper } from "../../testbed/zookeeper.ts";
import { FreezingProxy } from "../store/freezingProxy.ts";

setDefaultTimeout(60_000); // per file: a preload's holds for the first file only
let servers: Servers;
beforeAll(async () => {
  servers = await startZooKeeper();
}, 60_000);
afterAll(() => servers?.stop());
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Client extends Pick<ZooKeeperOptions, "sessionTimeoutMs"> {
  zk: ZooKeeper;
  states: SessionState[];
  events: WatchEvent[];
}
const client = (options: Partial<ZooKeeperOptions> = {}): Client => {
  const states: SessionState[] = [];
  const events: WatchEvent[] = [];
  const zk = connectZooKeeper({
    servers: servers.address.split(","),
    sessionTimeoutMs: 3000,
    onState: (state) => states.push(state),
    onWatch: (event) => events.push(event),
    ...options,
  });
  cleanUps.push(() => zk.abandon());
  return { zk, states, events };
};
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => "no error",
    (error) => (error instanceof ZooKeeperError ? error.code : String(error)),
  );
const bytes = (text: string) => new TextEncoder().encode(text);
const portOf = (address: string | undefined) => Number(address?.split(":")[1]);

test("create, read, change, delete; sequential, ephemeral and container znodes", async () => {
  const { zk, states } = client();
  const made = await zk.create("/a", bytes("one"));
  expect(made).toMatchObject({ path: "/a", stat: { version: 0, dataLength: 3 } });
  expect(states).toMatchObject([{ state: "connected", isNew: true, timeoutMs: 3000 }]);
  expect(await codeOf(zk.create("/a"))).toBe("NODEEXISTS");
  expect(await codeOf(zk.create("/none/a"))).toBe("NONODE");
  const set = await zk.setData("/a", bytes("two"), 0);
  expect(set.stat).toMatchObject({ version: 1, czxid: made.stat.czxid });
  expect(set.stat.mzxid).toBeGreaterThan(made.stat.mzxid);
  expect(await codeOf(zk.setData("/a", bytes("three"), 0))).toBe("BADVERSION");
  expect((await zk.getData("/a")).node).toEqual({ data: bytes("two"), stat: set.stat });
  expect((await zk.exists("/a")).stat).toEqual(set.stat);
  expect((await zk.exists("/none")).stat).toBeUndefined();
  expect((await zk.getData("/none")).node).toBeUndefined();
  expect((await zk.getChildren("/none")).children).toBeUndefined();

  await zk.create("/a/ä", bytes(""), { mode: "ephemeral" });
  expect((await zk.exists("/a/ä")).stat?.ephemeralOwner).toBe(
    states[0]?.state === "connected" ? states[0].sessionId : "",
  );
  expect(await codeOf(zk.create("/a/ä/b"))).toBe("NOCHILDRENFOREPHEMERALS");
  expect((await zk.create("/a/n-", bytes(""), { mode: "sequential" })).path).toBe("/a/n-0000000001");
  await zk.create("/a/c", undefined, { mode: "container" });
  expect((await zk.exists("/a/c")).stat?.ephemeralOwner).toBeUndefined();
  expect((await zk.getChildren("/a")).children?.sort()).toEqual(["c", "n-0000000001", "ä"]);
  expect(await codeOf(zk.delete("/a"))).toBe("NOTEMPTY");
  for (const name of ["c", "n-0000000001"]) await zk.delete(`/a/${name}`);
  expect((await zk.sync("/")).zxid).toBeGreaterThan(0);

  await zk.close(); // its ephemeral znode goes at once
  const other = client();
  expect((await other.zk.getChildren("/a")).children).toEqual([]);
  await other.zk.delete("/a");
  expect(await codeOf(zk.exists("/a"))).toBe("CLOSED");
});

test("multi: all or nothing, and which operation was at fault", async () => {
  const { zk } = client();
  const { results } = await zk.multi([
    { op: "create", path: "/m", data: bytes("1") },
    { op: "create", path: "/m/e", mode: "ephemeral" },
    { op: "set", path: "/m", data: bytes("2"), version: 0 },
    { op: "check", path: "/m", version: 1 },
    { op: "delete", path: "/m/e" },
  ]);
  expect(results.map(({ op }) => op)).toEqual(["create", "create", "set", "check", "delete"]);
  const failed = await zk
    .multi([
      { op: "set", path: "/m", data: bytes("3") },
      { op: "check", path: "/m", version: 9 },
      { op: "delete", path: "/m" },
    ])
    .catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(MultiError);
  expect(failed).toMatchObject({ code: "BADVERSION", failed: 1 });
  expect((await zk.getData("/m")).node?.data).toEqual(bytes("2"));
  await zk.delete("/m");
});

test("chroot: paths are below it, in answers and events too", async () => {
  const outer = client();
  await outer.zk.create("/root");
  const { zk, events } = client({ chroot: "/root" });
  await zk.addWatch("/");
  expect((await zk.create("/x")).path).toBe("/x");
  await zk.setData("/", bytes("r"));
  await waitFor(() => events.length >= 2, { what: "the events" });
  expect(events).toMatchObject([
    { type: "created", path: "/x" },
    { type: "changed", path: "/" },
  ]);
  expect((await outer.zk.getChildren("/root")).children).toEqual(["x"]);
  await zk.delete("/x");
  await outer.zk.delete("/root");
});

test("a watch tells before the reply that could show the change; 5,000 requests at once keep their order", async () => {
  const { zk, events } = client();
  const other = client();
  await zk.addWatch("/w");
  await other.zk.create("/w");
  const writes = Array.from({ length: 5000 }, (_, i) => other.zk.setData("/w", bytes(`${i}`)));
  const reads = Array.from({ length: 200 }, () => zk.exists("/w"));
  for (const { stat } of await Promise.all(reads))
    expect(events.length).toBeGreaterThanOrEqual(stat ? 1 + stat.version : 0);
  const versions = (await Promise.all(writes)).map(({ stat }) => stat.version);
  expect(versions).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
  await zk.sync("/");
  expect(events.length).toBe(5001);
  await zk.delete("/w");
});

test("a lost connection: what was under way is told apart, the session and its ephemerals go on", async () => {
  const proxy = await FreezingProxy.start(portOf(servers.address));
  cleanUps.push(() => proxy.close());
  const { zk, states } = client({ servers: [`127.0.0.1:${proxy.port}`] });
  await zk.create("/e", bytes(""), { mode: "ephemeral" });
  proxy.freeze();
  const lost = zk.exists("/e").catch((error: unknown) => error);
  await new Promise((resolve) => setImmediate(resolve)); // it is sent at the end of the turn
  proxy.cut();
  expect(await lost).toMatchObject({ code: "CONNECTIONLOSS", outcome: "unknown", retry: true });
  expect((await zk.exists("/e")).stat).toBeDefined();
  expect(states.map(({ state }) => state)).toEqual(["connected", "disconnected", "connected"]);
  expect(states[2]).toMatchObject({
    isNew: false,
    sessionId: states[0]?.state === "connected" ? states[0].sessionId : "",
  });

  proxy.freeze(); // half-open: only silence tells
  await waitFor(() => states.filter(({ state }) => state === "connected").length === 3, {
    what: "a new connection after silence",
  });
  expect((await zk.exists("/e")).stat).toBeDefined();
  await zk.close();
});

test("a session that expired: the event, and with renew another session; without heartbeats only requests keep it", async () => {
  const proxy = await FreezingProxy.start(portOf(servers.address));
  cleanUps.push(() => proxy.close());
  const through = { servers: [`127.0.0.1:${proxy.port}`], sessionTimeoutMs: 1000 };
  const once = client({ ...through, heartbeats: "manual" });
  const renewing = client({ ...through, renew: true });
  const direct = client();
  await once.zk.create("/x1", undefined, { mode: "ephemeral" });
  await renewing.zk.create("/x2", undefined, { mode: "ephemeral" });
  const started = performance.now();
  await waitFor(
    async () => {
      await once.zk.ping();
      return (await direct.zk.exists("/x1")).stat && performance.now() - started > 2500;
    },
    { what: "pings to keep it for 2.5 timeouts" },
  );
  await waitFor(async () => !(await direct.zk.exists("/x1")).stat, { what: "it to go without pings" });
  expect((await direct.zk.exists("/x2")).stat).toBeDefined(); // that one has heartbeats
  expect(await codeOf(once.zk.ping())).toBe("SESSIONEXPIRED");
  expect(once.states.at(-1)?.state).toBe("expired");
  expect(await codeOf(once.zk.exists("/x1"))).toBe("SESSIONEXPIRED");

  proxy.target = 1; // nobody listens there
  proxy.cut();
  await waitFor(async () => !(await direct.zk.exists("/x2")).stat, { what: "the other to expire" });
  proxy.target = portOf(servers.address);
  await waitFor(() => renewing.states.some(({ state }) => state === "expired"), { what: "the event" });
  await waitFor(() => renewing.states.at(-1)?.state === "connected", { what: "another session" });
  expect(renewing.states.at(-1)).toMatchObject({ isNew: true });
  await renewing.zk.create("/x2", undefined, { mode: "ephemeral" });
});

test("nobody there, and not ZooKeeper: requests fail in time and say why", async () => {
  const nobody = client({ servers: ["127.0.0.1:1"], requestTimeoutMs: 400 });
  const refused = await nobody.zk.exists("/").catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "REQUESTTIMEOUT", outcome: "not done", retry: true });
  expect(String(refused)).toContain("127.0.0.1:1 cannot be reached");
  const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
  cleanUps.push(() => web.stop(true));
  const other = client({ servers: [`127.0.0.1:${web.port}`], requestTimeoutMs: 400 });
  expect(await codeOf(other.zk.exists("/"))).toBe("REQUESTTIMEOUT");
  expect(() => client({ servers: [] })).toThrow("no ZooKeeper server");
  expect(() => client({ servers: ["a:b"] })).toThrow("is not HOST:PORT");
});

test("queues are bounded", async () => {
  const { zk } = client({ servers: ["127.0.0.1:1"], requestTimeoutMs: 300, maxRequests: 10, maxQueuedBytes: 1000 });
  const codes = await Promise.all(Array.from({ length: 15 }, () => codeOf(zk.exists("/"))));
  expect(codes).toEqual([...Array(10).fill("REQUESTTIMEOUT"), ...Array(5).fill("OVERLOADED")]);
  const big = await Promise.all([1, 2].map(() => codeOf(zk.setData("/", new Uint8Array(2000)))));
  expect(big).toEqual(["REQUESTTIMEOUT", "OVERLOADED"]);
});

test("logins: digest guards what it made; a scheme that the server has not is refused in words", async () => {
  const mine = client({ auth: { scheme: "digest", credentials: "me:secret" } });
  await mine.zk.create("/mine", bytes("1"));
  const again = client({ auth: { scheme: "digest", credentials: "me:secret" } });
  expect((await again.zk.getData("/mine")).node?.data).toEqual(bytes("1"));
  for (const options of [{}, { auth: { scheme: "digest", credentials: "me:wrong" } }]) {
    const { zk } = client(options);
    const error = await zk.getData("/mine").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "NOAUTH" });
    expect(String(error)).toContain("/mine");
  }
  const strange = client({ auth: { scheme: "nosuch", credentials: "x" } });
  const refused = await strange.zk.exists("/").catch((reason: unknown) => reason);
  expect(refused).toMatchObject({ code: "AUTHFAILED" });
  expect(String(refused)).toContain("refused the login by nosuch");
  expect(String(refused)).not.toContain("credentials");
  expect(await codeOf(strange.zk.exists("/"))).toBe("AUTHFAILED");
  await mine.zk.delete("/mine");
});
