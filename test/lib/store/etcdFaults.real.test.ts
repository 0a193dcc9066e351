import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EtcdTuning } from "../../../lib/store/etcd/etcdStore.ts";
import { openEtcd } from "../../../lib/store/etcd/openEtcd.ts";
import type { Store } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { Daemon } from "../../testbed/daemon.ts";
import { type Etcd, type EtcdNode, type EtcdOptions, startEtcd } from "../../testbed/etcd.ts";
import { freePorts } from "../../testbed/freePort.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { put, text } from "./conformance/suite.ts";
import { Watcher } from "./conformance/Watcher.ts";
import { FreezingProxy } from "./freezingProxy.ts";

setDefaultTimeout(90_000); // per file: a preload's holds for the first file only
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const start = async (options: EtcdOptions = {}): Promise<Etcd> => {
  const etcd = await startEtcd(options);
  cleanUps.push(() => etcd.stop());
  return etcd;
};
const open = async (hosts: string, tuning: EtcdTuning = {}): Promise<Store> => {
  const store = await openEtcd(`etcd://${hosts}`, { env: {} }, { timeoutMs: 1500, probeMs: 300, ...tuning });
  cleanUps.push(() => store.close());
  return store;
};
const hostOf = (node: EtcdNode | undefined) => new URL(node?.url ?? "").host;
const watching = async (store: Store, prefix: string): Promise<Watcher> => {
  const watcher = new Watcher(store, prefix);
  cleanUps.push(() => watcher.stop());
  await waitFor(() => watcher.events[0], { what: "the watcher's reset" });
  return watcher;
};
const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  await promise.then(
    () => "no error",
    (error) => (error instanceof StoreError ? error.code : String(error)),
  );
const ask = async (url: string, path: string, body: unknown): Promise<void> => {
  const answer = await fetch(url + path, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
};

test("a server that stands still: calls end in time, status tells, the watch goes on after it", async () => {
  const etcd = await start();
  const store = await open(hostOf(etcd.nodes[0]));
  const watcher = await watching(store, "/a/");
  await etcd.nodes[0]?.daemon.pause();
  const started = performance.now();
  expect(await codeOf(store.txn({ then: [put("/a/lost")] }))).toBe("timeout");
  expect(performance.now() - started).toBeLessThan(2500);
  await waitFor(() => !store.status().connected, { what: "the status to tell" });
  expect(store.status().reason).toContain("did not answer within 1500 ms");
  const { currentAt } = store.status();
  etcd.nodes[0]?.daemon.resume();
  await waitFor(() => store.status().connected, { what: "the connection to come back" });
  expect(store.status().currentAt).toBeGreaterThan(currentAt);
  const { rev } = await store.txn({ then: [put("/a/found")] });
  await watcher.reach(rev);
  expect(watcher.state.has("/a/found")).toBe(true);
  expect([...watcher.state.keys()].sort()).toEqual((await store.list("/a/")).entries.map((entry) => entry.key));
  expect(watcher.events.filter((event) => event.type === "reset").length).toBe(1); // it went on from where it was
});

test("connections that are half-open: noticed, and nothing is missed", async () => {
  const etcd = await start();
  const proxy = await FreezingProxy.start(Number(new URL(etcd.url).port));
  cleanUps.push(() => proxy.close());
  const direct = await open(hostOf(etcd.nodes[0]));

  // by the probe, which rides on a frozen connection too
  const probing = await open(`127.0.0.1:${proxy.port}`);
  const first = await watching(probing, "/a/");
  expect(proxy.freeze()).toBeGreaterThanOrEqual(1);
  const one = await direct.txn({ then: [put("/a/1")] });
  await first.reach(one.rev);

  // by silence, when every probe gets a connection that works
  const patient = await open(`127.0.0.1:${proxy.port}`, { probeMs: 60_000, silentMs: 800 });
  const second = await watching(patient, "/a/");
  proxy.freeze();
  const two = await direct.txn({ then: [put("/a/2")] });
  await second.reach(two.rev);
  for (const watcher of [first, second]) {
    expect(watcher.events.filter((event) => event.type === "reset").length).toBe(1);
    expect(watcher.state.has("/a/1")).toBe(true);
  }
});

for (const version of ["3.4", "3.7"] as const) {
  test(`etcd ${version}: compacted while the watcher was away: reset, and the same end as a list`, async () => {
    const etcd = await start({ version });
    const proxy = await FreezingProxy.start(Number(new URL(etcd.url).port));
    cleanUps.push(() => proxy.close());
    const direct = await open(hostOf(etcd.nodes[0]));
    const store = await open(`127.0.0.1:${proxy.port}`, { probeMs: 60_000, silentMs: 60_000 });
    await direct.txn({ then: [put("/a/gone"), put("/a/stays", "1")] });
    const watcher = await watching(store, "/a/");
    const { rev: early } = await direct.list("/a/");
    proxy.freeze(); // asleep
    await direct.txn({ then: [{ op: "delete", key: "/a/gone" }] });
    const { rev } = await direct.txn({ then: [put("/a/stays", "2"), put("/a/new")] });
    await ask(etcd.url, "/v3/kv/compaction", { revision: String(rev), physical: true });
    proxy.cut(); // awake
    await waitFor(() => watcher.events.filter((event) => event.type === "reset").length === 2, {
      what: "a second reset",
    });
    expect([...watcher.state.values()]).toEqual((await direct.list("/a/")).entries);

    const late = new Watcher(direct, "/a/", early);
    await late.reach(rev);
    expect(late.events[0]?.type).toBe("reset");
    late.stop();
  });
}

test("a list over many pages is one snapshot", async () => {
  const etcd = await start();
  const store = await open(hostOf(etcd.nodes[0]), { pageSize: 7 });
  for (let n = 0; n < 3; n++) {
    await store.txn({
      then: Array.from({ length: 33 }, (_, i) => put(`/a/${n}-${String(i).padStart(2, "0")}`, "old")),
    });
  }
  const [snapshot] = await Promise.all([
    store.list("/a/"),
    store.txn({ then: Array.from({ length: 33 }, (_, i) => put(`/a/2-${String(i).padStart(2, "0")}`, "new")) }),
  ]);
  expect(snapshot.entries.length).toBe(99);
  expect(new Set(snapshot.entries.slice(66).map((entry) => text(entry.value))).size).toBe(1);
  expect(snapshot.entries.every((entry) => entry.modRev <= snapshot.rev)).toBe(true);
});

test("keys of others that are no text are passed over", async () => {
  const etcd = await start();
  const store = await open(hostOf(etcd.nodes[0]));
  const watcher = await watching(store, "/a/");
  await ask(etcd.url, "/v3/kv/put", {
    key: Buffer.from([0x2f, 0x61, 0x2f, 0xff, 0xfe]).toString("base64"),
    value: "eA==",
  });
  const { rev } = await store.txn({ then: [put("/a/ours")] });
  await watcher.reach(rev);
  expect([...watcher.state.keys()]).toEqual(["/a/ours"]);
  expect((await store.list("/a/")).entries.map((entry) => entry.key)).toEqual(["/a/ours"]);
});

for (const writes of [1, 20]) {
  test(`another cluster behind the same address, with ${writes < 5 ? "less" : "more"} history: reset`, async () => {
    const etcd = await start();
    const other = await start();
    const proxy = await FreezingProxy.start(Number(new URL(etcd.url).port));
    cleanUps.push(() => proxy.close());
    const store = await open(`127.0.0.1:${proxy.port}`);
    for (let n = 0; n < 5; n++) await store.txn({ then: [put("/a/old", `${n}`)] });
    const watcher = await watching(store, "/a/");
    const direct = await open(hostOf(other.nodes[0]));
    for (let n = 0; n < writes; n++) await direct.txn({ then: [put("/a/new", `${n}`)] });
    proxy.target = Number(new URL(other.url).port);
    proxy.cut();
    await waitFor(() => watcher.events.filter((event) => event.type === "reset").length === 2, {
      what: "a second reset",
    });
    expect([...watcher.state.keys()]).toEqual(["/a/new"]);
  });
}

test("3,000 revisions behind: a progress never runs ahead of what was told", async () => {
  const etcd = await start();
  const store = await open(hostOf(etcd.nodes[0]), { timeoutMs: 5000, watchLimit: 100_000 });
  const { rev: from } = await store.list("");
  const written: { key: string; rev: number }[] = [];
  const client = async (id: number) => {
    for (let n = id; n < 3000; n += 50) {
      const { rev } = await store.txn({ then: [put(`/a/${n}`)] });
      written.push({ key: `/a/${n}`, rev });
    }
  };
  await Promise.all(Array.from({ length: 50 }, (_, id) => client(id)));
  written.sort((a, b) => a.rev - b.rev);
  const last = written.at(-1)?.rev ?? 0;
  const controller = new AbortController();
  const seen = new Set<string>();
  let checked = 0;
  let steps = 0;
  for await (const event of store.watch("/a/", from, controller.signal)) {
    if (event.type === "put") seen.add(event.entry.key);
    if (event.type !== "progress") continue;
    steps++;
    for (let next = written[checked]; next && next.rev <= event.rev; next = written[++checked]) {
      if (!seen.has(next.key)) throw new Error(`progress ${event.rev} came before ${next.key}@${next.rev}`);
    }
    if (event.rev >= last) controller.abort();
  }
  expect([checked, seen.size]).toEqual([3000, 3000]);
  expect(steps).toBeGreaterThan(1);
});

test("a watcher that is far too slow gets a reset, not an endless queue", async () => {
  const etcd = await start();
  const store = await open(hostOf(etcd.nodes[0]), { watchLimit: 50 });
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const watcher = new Watcher(store, "/a/", undefined, () => gate);
  cleanUps.push(() => watcher.stop());
  await waitFor(() => watcher.events[0], { what: "the first event" });
  let last = 0;
  for (let n = 0; n < 200; n++) last = (await store.txn({ then: [put(`/a/${n}`)] })).rev;
  release();
  await watcher.reach(last);
  expect(watcher.events.some((event, i) => i > 0 && event.type === "reset")).toBe(true);
  expect(watcher.events.length).toBeLessThan(150);
  expect([...watcher.state.values()].length).toBe(200);
});

test("three members: one killed, then one paused: calls and watch go on; without a quorum all say so; then it resumes", async () => {
  const etcd = await start({ nodes: 3 });
  const [one, two, three] = etcd.nodes;
  if (!one || !two || !three) throw new Error("three nodes were asked for");
  const store = await open(etcd.nodes.map(hostOf).join(","), { timeoutMs: 4000 });
  const watcher = await watching(store, "/a/");
  const written: string[] = [];
  const write = async (key: string) => {
    const { rev } = await waitFor(async () => await store.txn({ then: [put(key)] }), { what: key, deadlineMs: 20_000 });
    written.push(key);
    await watcher.reach(rev, 20_000);
  };
  await write("/a/0");
  await one.daemon.kill(); // the one in use: calls are refused there
  expect(await store.get("/a/0").then(() => "read", String)).toBe("read");
  await write("/a/1");
  await one.daemon.start();
  await two.daemon.pause(); // the one in use now: silence
  await write("/a/2");
  two.daemon.resume();

  await one.daemon.pause();
  await three.daemon.pause();
  const started = performance.now();
  const code = await codeOf(store.txn({ then: [put("/a/never")] }));
  expect(["unavailable", "timeout"]).toContain(code);
  expect(performance.now() - started).toBeLessThan(6000);
  await waitFor(() => !store.status().connected, { what: "the status to tell" });
  expect(store.status().reason).toContain("etcd http://127.0.0.1");
  one.daemon.resume();
  three.daemon.resume();
  await write("/a/3");
  await waitFor(() => store.status().connected, { what: "the status to recover" });
  for (const key of written) expect(watcher.state.has(key)).toBe(true);
  expect([...watcher.state.keys()].sort()).toEqual((await store.list("/a/")).entries.map((entry) => entry.key));
});

for (const version of ["3.4", "3.7"] as const) {
  test(`etcd ${version} with users: logs in, renews a lost token, and says what is refused`, async () => {
    const etcd = await start({ version });
    const host = hostOf(etcd.nodes[0]);
    await ask(etcd.url, "/v3/auth/user/add", { name: "root", password: "t0p" });
    await ask(etcd.url, "/v3/auth/user/add", { name: "app", password: "p@ss" });
    await ask(etcd.url, "/v3/auth/role/add", { name: "root" });
    await ask(etcd.url, "/v3/auth/role/add", { name: "app" });
    const perm = { permType: "READWRITE", key: btoa("/app/"), range_end: btoa("/app0") };
    await ask(etcd.url, "/v3/auth/role/grant", { name: "app", perm });
    await ask(etcd.url, "/v3/auth/user/grant", { user: "root", role: "root" });
    await ask(etcd.url, "/v3/auth/user/grant", { user: "app", role: "app" });
    await ask(etcd.url, "/v3/auth/enable", {});

    const store = await open(`app:p%40ss@${host}/app`);
    const watcher = await watching(store, "/x/");
    const first = await store.txn({ then: [put("/x/1")] });
    await watcher.reach(first.rev);
    await etcd.nodes[0]?.daemon.kill();
    await etcd.nodes[0]?.daemon.start(); // it forgets its tokens
    const second = await waitFor(() => store.txn({ then: [put("/x/2")] }), { what: "a write with a new token" });
    await watcher.reach(second.rev);
    const lease = await store.grantLease(5000);
    expect((await store.keepAlive([lease.id])).get(lease.id)).toBe(5000);

    for (const login of ["app:wrong@", ""]) {
      const stranger = await open(`${login}${host}/app`);
      expect(await codeOf(stranger.get("/x/1"))).toBe("unauthorized");
      await waitFor(() => /authentication|user name|auth token/.test(stranger.status().reason ?? ""), {
        what: "the reason",
      });
      expect(stranger.status().connected).toBe(false);
    }
    const elsewhere = await open(`app:p%40ss@${host}/other`);
    expect(await codeOf(elsewhere.get("/x/1"))).toBe("unauthorized");
  });
}

test("TLS: the server's certificate is checked, a client certificate is shown", async () => {
  const dir = scratchDir();
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  const at = (name: string) => join(dir, name);
  const openssl = (...args: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stderr: "pipe", cwd: dir });
    if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2");
  writeFileSync(at("ext"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  for (const name of ["server", "client"]) {
    openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", "/O=test");
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
  const [client = 0, peer = 0] = await freePorts(2);
  const host = `127.0.0.1:${client}`;
  const urls = ["--listen-client-urls", `https://${host}`, "--advertise-client-urls", `https://${host}`];
  const tls = [
    "--cert-file",
    at("server.pem"),
    "--key-file",
    at("server.key"),
    "--client-cert-auth",
    "--trusted-ca-file",
    at("ca.pem"),
  ];
  const peers = ["--listen-peer-urls", `http://127.0.0.1:${peer}`];
  const daemon = await Daemon.start({
    name: "etcd with TLS",
    argv: ["etcd", "--data-dir", at("data"), "--log-level", "error", ...urls, ...tls, ...peers],
    logFile: at("log"),
  });
  cleanUps.push(() => daemon.stop(3000));
  const store = await openEtcd(`etcds://${host}?ca=${at("ca.pem")}&cert=${at("client.pem")}&key=${at("client.key")}`, {
    env: {},
  });
  cleanUps.push(() => store.close());
  const { rev } = await waitFor(() => store.txn({ then: [put("/a/1")] }), { what: "a write over TLS" });
  const watcher = await watching(store, "/a/");
  await watcher.reach(rev);
  expect(watcher.state.has("/a/1")).toBe(true);
  expect(store.url).toBe(`etcds://${host}`);

  const stranger = await openEtcd(`etcds://${host}?ca=${at("ca.pem")}`, { env: {} });
  cleanUps.push(() => stranger.close());
  expect(await codeOf(stranger.get("/a/1"))).toBe("unavailable");
  const trusting = await openEtcd(`etcds://${host}?cert=${at("client.pem")}&key=${at("client.key")}`, { env: {} });
  cleanUps.push(() => trusting.close());
  expect(await codeOf(trusting.get("/a/1"))).toBe("unavailable");
  expect(trusting.status().reason).toMatch(/certificate|issuer|trust|authority/i);
});
