import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { openZooKeeper } from "../../../lib/store/zookeeper/openZooKeeper.ts";
import type { ZooKeeperTuning } from "../../../lib/store/zookeeper/zooKeeperStore.ts";
import { connectZooKeeper } from "../../../lib/zookeeper/index.ts";
import { freePorts } from "../../testbed/freePort.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { fourLetterWord, startZooKeeper, type ZooKeeper, type ZooKeeperServer } from "../../testbed/zookeeper.ts";
import { put, sorted, text } from "./conformance/suite.ts";
import { Watcher } from "./conformance/Watcher.ts";
import { FreezingProxy } from "./freezingProxy.ts";

setDefaultTimeout(120_000); // per file: a preload's holds for the first file only
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const start = async (servers: 1 | 3, config: string[] = []): Promise<ZooKeeper> => {
  const zookeeper = await startZooKeeper({ servers, config });
  cleanUps.push(() => zookeeper.stop());
  return zookeeper;
};
const open = async (hosts: string, tuning: ZooKeeperTuning = {}): Promise<Store> => {
  const store = await openZooKeeper(
    `zookeeper://${hosts}`,
    { env: {} },
    { timeoutMs: 2000, sessionTimeoutMs: 2000, ...tuning },
  );
  cleanUps.push(() => store.close());
  return store;
};
const portOf = (server: ZooKeeperServer | undefined) => Number(server?.address.split(":")[1]);
const leaderOf = async (servers: readonly ZooKeeperServer[]): Promise<ZooKeeperServer | undefined> => {
  const modes = await Promise.all(servers.map((server) => fourLetterWord(portOf(server), "srvr").catch(() => "")));
  return servers[modes.findIndex((mode) => mode.includes("Mode: leader"))];
};
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => "no error",
    (error) => (error instanceof StoreError ? error.code : String(error)),
  );
const watching = async (store: Store, prefix: string): Promise<Watcher> => {
  const watcher = new Watcher(store, prefix);
  cleanUps.push(() => watcher.stop());
  await waitFor(() => watcher.events[0], { what: "the watcher's reset" });
  return watcher;
};

/** One store that writes, watches and holds a lease, on all three servers. */
const scene = async (leaseMs = 6000) => {
  const zookeeper = await start(3);
  const store = await open(zookeeper.address);
  const watcher = await watching(store, "/a/");
  const lease = await store.grantLease(leaseMs);
  await store.txn({ then: [put("/a/leader", "old"), put("/a/mine", "1", lease.id)] });
  const stale = await store.get("/a/leader");
  const fresh = await store.txn({
    if: [{ key: "/a/leader", modRev: stale?.modRev ?? -1 }],
    then: [put("/a/leader", "new")],
  });
  expect(fresh.ok).toBe(true);
  return { zookeeper, store, watcher, lease, stale: stale?.modRev ?? 0 };
};
type Scene = Awaited<ReturnType<typeof scene>>;

interface Load {
  over: boolean;
  renewals: number;
}

/** Writes and renews until the load is over, as a daemon does through a fault; returns what was surely written. */
const busy = async ({ store, lease }: Scene, load: Load) => {
  const written: string[] = [];
  for (let n = 0; !load.over; n++) {
    const key = `/a/${n}`;
    if ((await codeOf(store.txn({ then: [put(key, `${n}`)] }))) === "no error") written.push(key);
    const answers = await store.keepAlive([lease.id]).catch(() => undefined);
    if (answers) {
      expect(answers.get(lease.id)).toBe(lease.ttlMs);
      load.renewals++;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return written;
};

/** What must hold after every fault. */
const holdsAgain = async ({ store, watcher, stale }: Scene, written: readonly string[]) => {
  const { rev } = await waitFor(() => store.txn({ then: [put("/a/last")] }), { what: "a write", deadlineMs: 30_000 });
  await watcher.reach(rev, 20_000);
  const { entries } = await store.list("/a/");
  expect(sorted(watcher.state.values())).toEqual(entries);
  const keys = new Set(entries.map((entry) => entry.key));
  expect(written.filter((key) => !keys.has(key))).toEqual([]);
  const fenced = { if: [{ key: "/a/leader", modRev: stale }], then: [put("/a/leader", "stale")] };
  expect((await store.txn(fenced)).ok).toBe(false);
  expect(text((await store.get("/a/leader"))?.value)).toBe("new");
  await waitFor(() => store.status().connected, { what: "the status to recover" });
};

/** Runs a fault under load. The lease is kept all the while, so what hangs on it must never have gone. */
const through = async (at: Scene, fault: () => Promise<void>) => {
  const load: Load = { over: false, renewals: 0 };
  const writing = busy(at, load);
  await fault();
  await waitFor(() => at.store.get("/a/leader"), { what: "the store to answer", deadlineMs: 30_000 });
  await waitFor(() => load.renewals > 0, { what: "a renewal", deadlineMs: 30_000 });
  load.over = true;
  const written = await writing;
  await holdsAgain(at, written);
  expect(at.watcher.events.some((event) => event.type === "delete" && event.key === "/a/mine")).toBe(false);
  expect(at.watcher.state.get("/a/mine")?.lease).toBe(at.lease.id);
};

test("the leader is killed: another one, the same session and lease, nothing lost", async () => {
  const at = await scene();
  await through(at, async () => {
    const leader = await leaderOf(at.zookeeper.servers);
    await leader?.daemon.kill();
    const others = at.zookeeper.servers.filter((server) => server !== leader);
    await waitFor(() => leaderOf(others), { what: "another leader", deadlineMs: 30_000 });
  });
});

test("the leader stands still past its timeout, and comes back", async () => {
  const at = await scene();
  await through(at, async () => {
    const leader = await leaderOf(at.zookeeper.servers);
    await leader?.daemon.pause();
    const others = at.zookeeper.servers.filter((server) => server !== leader);
    await waitFor(() => leaderOf(others), { what: "another leader", deadlineMs: 30_000 });
    leader?.daemon.resume();
  });
});

test("each server in turn is cut off: the store goes on by the others", async () => {
  // A leader that stood still for less than its followers wait stays the leader, and counts that time against all leases.
  const at = await scene(20_000);
  await through(at, async () => {
    for (const server of at.zookeeper.servers) {
      await server.daemon.pause();
      const other = await open(at.zookeeper.address);
      await waitFor(() => other.list("/a/"), { what: "a list without one server", deadlineMs: 30_000 });
      await other.close();
      server.daemon.resume();
      await waitFor(() => leaderOf(at.zookeeper.servers), { what: "a leader", deadlineMs: 30_000 });
    }
  });
});

test("all servers are killed and come back with their data: reset, and the lease is still held", async () => {
  const at = await scene();
  const { servers } = at.zookeeper;
  const resets = () => at.watcher.events.filter((event) => event.type === "reset").length;
  const before = resets();
  await through(at, async () => {
    await Promise.all(servers.map((server) => server.daemon.kill()));
    await waitFor(() => !at.store.status().connected, { what: "the status to tell" });
    expect(at.store.status().reason).toContain("ZooKeeper");
    for (const server of servers) server.daemon.launch();
    await Promise.all(servers.map((server) => server.daemon.untilReady()));
  });
  expect(resets()).toBeGreaterThan(before);
});

test("sessions expire while nobody is reached: keys go, keepalive says expired, the watcher is reset, a stale leader is refused", async () => {
  const zookeeper = await start(1);
  const proxy = await FreezingProxy.start(portOf(zookeeper.servers[0]));
  cleanUps.push(() => proxy.close());
  const direct = await open(zookeeper.address);
  const store = await open(`127.0.0.1:${proxy.port}`);
  const watcher = await watching(store, "/a/");
  const seen = await watching(direct, "/a/");
  const lease = await store.grantLease(4000);
  await store.txn({ then: [put("/a/leader", "mine", lease.id)] });
  const mine = await store.get("/a/leader");
  expect(mine?.lease).toBe(lease.id);

  proxy.target = 1; // nobody listens there
  proxy.cut();
  await waitFor(() => seen.events.some((event) => event.type === "delete"), {
    what: "the lease's key to go",
    deadlineMs: 15_000,
  });
  // Made anew by another, its znode's version is 0 as the lost one's was.
  const theirs = await direct.grantLease(8000);
  const taken = await direct.txn({
    if: [{ key: "/a/leader", exists: false }],
    then: [put("/a/leader", "theirs", theirs.id)],
  });
  expect(taken.ok).toBe(true);
  expect(await codeOf(store.keepAlive([lease.id]))).toBe("timeout"); // not "expired": nobody said so

  proxy.target = portOf(zookeeper.servers[0]);
  await waitFor(async () => (await store.keepAlive([lease.id])).get(lease.id) === "expired", { what: "expired" });
  for (const condition of [
    { key: "/a/leader", modRev: mine?.modRev ?? -1 },
    { key: "/a/leader", createRev: mine?.createRev ?? -1 },
  ]) {
    expect((await store.txn({ if: [condition], then: [put("/a/leader", "stale")] })).ok).toBe(false);
  }
  expect(await codeOf(store.txn({ then: [put("/a/x", "1", lease.id)] }))).toBe("lease_expired");
  await waitFor(() => text(watcher.state.get("/a/leader")?.value) === "theirs", {
    what: "the watcher to see the new leader",
  });
  expect([...watcher.state.values()]).toEqual((await direct.list("/a/")).entries);
});

test("half-open connections are noticed, and nothing is missed", async () => {
  const zookeeper = await start(1);
  const proxy = await FreezingProxy.start(portOf(zookeeper.servers[0]));
  cleanUps.push(() => proxy.close());
  const direct = await open(zookeeper.address);
  const store = await open(`127.0.0.1:${proxy.port}`);
  const watcher = await watching(store, "/a/");
  const lease = await store.grantLease(8000);
  expect(proxy.freeze()).toBeGreaterThanOrEqual(2);
  const { rev } = await direct.txn({ then: [put("/a/1")] });
  await watcher.reach(rev);
  expect(watcher.state.has("/a/1")).toBe(true);
  await waitFor(async () => (await store.keepAlive([lease.id])).get(lease.id) === lease.ttlMs, { what: "a renewal" });
});

test("its data is wiped: a new session, a reset to what is there, and leases that are expired", async () => {
  const [one, other] = [await start(1), await start(1)];
  const proxy = await FreezingProxy.start(portOf(one.servers[0]));
  cleanUps.push(() => proxy.close());
  const store = await open(`127.0.0.1:${proxy.port}`);
  const watcher = await watching(store, "/a/");
  const lease = await store.grantLease(4000);
  for (let n = 0; n < 100; n++) await store.txn({ then: [put(`/a/${n}`, "1", lease.id)] });
  proxy.target = portOf(other.servers[0]);
  proxy.cut();
  const { rev } = await waitFor(() => store.txn({ then: [put("/a/new")] }), { what: "a write", deadlineMs: 30_000 });
  await waitFor(() => watcher.state.size === 1, { what: "the reset", deadlineMs: 20_000 });
  await watcher.reach(rev);
  expect([...watcher.state.keys()]).toEqual(["/a/new"]);
  const gone = async () => (await store.keepAlive([lease.id])).get(lease.id) === "expired";
  await waitFor(gone, { what: "the lease to be told expired", deadlineMs: 30_000 });
});

test("logins: what one made another may not see, and both calls and status say so", async () => {
  const zookeeper = await start(1);
  const mine = await open(`me:s%40cret@${zookeeper.address}/mine`);
  const watcher = await watching(mine, "/a/");
  const lease = await mine.grantLease(5000);
  const { rev } = await mine.txn({ then: [put("/a/1"), put("/a/2", "x", lease.id)] });
  await watcher.reach(rev);
  expect(watcher.state.size).toBe(2);
  const again = await open(`me:s%40cret@${zookeeper.address}/mine`);
  expect((await again.list("/")).entries.length).toBe(2);
  for (const login of ["", "me:wrong@"]) {
    const stranger = await open(`${login}${zookeeper.address}/mine`);
    expect(await codeOf(stranger.get("/a/1"))).toBe("unauthorized");
    expect(await codeOf(stranger.list("/a/"))).toBe("unauthorized");
    expect(await codeOf(stranger.txn({ then: [put("/a/1")] }))).toBe("unauthorized");
    expect(stranger.status()).toMatchObject({ connected: false });
    expect(stranger.status().reason).toContain("NOAUTH for /mine/k");
    expect(stranger.status().reason).not.toContain("wrong");
  }
  // a path that may not be made
  const admin = connectZooKeeper({ servers: [zookeeper.address], auth: { scheme: "digest", credentials: "admin:x" } });
  cleanUps.push(() => admin.abandon());
  await admin.create("/locked", undefined, {
    acl: [
      { perms: 31, scheme: "auth", id: "" },
      { perms: 1, scheme: "world", id: "anyone" },
    ],
  });
  const outside = await open(`me:s%40cret@${zookeeper.address}/locked/x`);
  expect((await outside.list("/")).entries).toEqual([]);
  expect(await codeOf(outside.txn({ then: [put("/a")] }))).toBe("unauthorized");
  // a path that was made for it, below what it may not write
  await admin.create("/locked/y", undefined, { acl: [{ perms: 31, scheme: "world", id: "anyone" }] });
  const inside = await open(`me:s%40cret@${zookeeper.address}/locked/y`);
  expect((await inside.txn({ then: [put("/a")] })).ok).toBe(true);
});

test("a server that demands a login says so to those without", async () => {
  const zookeeper = await start(1, ["enforce.auth.enabled=true", "enforce.auth.schemes=digest"]);
  const without = await open(zookeeper.address);
  expect(await codeOf(without.get("/a"))).toBe("unauthorized");
  const login = await open(`me:x@${zookeeper.address}`);
  expect((await login.txn({ then: [put("/a")] })).ok).toBe(true);
});

test("TLS: the server's certificate is checked, a client certificate is shown", async () => {
  const dir = scratchDir();
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  const at = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stderr: "pipe", cwd: dir });
    if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2");
  writeFileSync(at("ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  for (const name of ["server", "client"]) {
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/O=test/CN=${name}`);
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
  openssl(
    "pkcs12",
    "-export",
    "-in",
    "server.pem",
    "-inkey",
    "server.key",
    "-out",
    "server.p12",
    "-passout",
    "pass:test12",
  );
  const keytool = [
    "keytool",
    "-importcert",
    "-noprompt",
    "-alias",
    "ca",
    "-file",
    at("ca.pem"),
    "-storetype",
    "PKCS12",
  ];
  expect(Bun.spawnSync([...keytool, "-keystore", at("trust.p12"), "-storepass", "test12"]).exitCode).toBe(0);
  const [port = 0] = await freePorts(1);
  await start(1, [
    `secureClientPort=${port}`,
    "secureClientPortAddress=127.0.0.1",
    "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
    ...[`ssl.keyStore.location=${at("server.p12")}`, "ssl.keyStore.password=test12", "ssl.keyStore.type=PKCS12"],
    ...[`ssl.trustStore.location=${at("trust.p12")}`, "ssl.trustStore.password=test12", "ssl.trustStore.type=PKCS12"],
  ]);
  const files = `cert=${at("client.pem")}&key=${at("client.key")}`;
  const openTls = async (query: string): Promise<Store> => {
    const store = await openZooKeeper(`zookeepers://127.0.0.1:${port}?${query}`, { env: {} }, { timeoutMs: 2000 });
    cleanUps.push(() => store.close());
    return store;
  };
  const store = await openTls(`ca=${at("ca.pem")}&${files}`);
  const { rev } = await waitFor(() => store.txn({ then: [put("/a/1", "x".repeat(300_000))] }), {
    what: "a write over TLS",
  });
  const watcher = await watching(store, "/a/");
  await watcher.reach(rev);
  expect(watcher.state.get("/a/1")?.value.length).toBe(300_000);
  expect(store.url).toBe(`zookeepers://127.0.0.1:${port}/quayside`);
  const stranger = await openTls(`ca=${at("ca.pem")}`);
  expect(await codeOf(stranger.get("/a/1"))).toBe("timeout");
  const trusting = await openTls(files);
  expect(await codeOf(trusting.get("/a/1"))).toBe("timeout");
  expect(trusting.status().reason).toMatch(/certificate|issuer|trust|authority/i);
});
