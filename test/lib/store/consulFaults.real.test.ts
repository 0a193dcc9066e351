import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { ConsulTuning } from "../../../lib/store/consul/consulStore.ts";
import { openConsul } from "../../../lib/store/consul/openConsul.ts";
import type { Store } from "../../../lib/store/store.ts";
import { built } from "../../testbed/build.ts";
import { type Consul, type ConsulServer, startConsul } from "../../testbed/consul.ts";
import { Daemon } from "../../testbed/daemon.ts";
import { freePorts } from "../../testbed/freePort.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { code, put, sorted, text } from "./conformance/suite.ts";
import { Watcher } from "./conformance/Watcher.ts";
import { FreezingProxy } from "./freezingProxy.ts";

setDefaultTimeout(120_000); // per file: a preload's holds for the first file only
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const start = async (options: Parameters<typeof startConsul>[0] = {}): Promise<Consul> => {
  const consul = await startConsul(options);
  cleanUps.push(() => consul.stop());
  return consul;
};
const hostOf = (server: ConsulServer) => new URL(server.url).host;
const hostsOf = (servers: readonly ConsulServer[]) => servers.map(hostOf).join(",");
const open = async (
  hosts: string,
  tuning: ConsulTuning = {},
  env: Record<string, string> = {},
  rest = "/test",
): Promise<Store> => {
  const store = await openConsul(`consul://${hosts}${rest}`, { env }, { timeoutMs: 2000, probeMs: 300, ...tuning });
  cleanUps.push(() => store.close());
  return store;
};
const watching = async (store: Store, prefix: string): Promise<Watcher> => {
  const watcher = new Watcher(store, prefix);
  cleanUps.push(() => watcher.stop());
  await waitFor(() => watcher.events[0], { what: "the watcher's reset", deadlineMs: 20_000 });
  return watcher;
};
const resets = (watcher: Watcher) => watcher.events.filter((event) => event.type === "reset").length;
const write = async (store: Store, key: string, value = "v") =>
  await waitFor(async () => await store.txn({ then: [put(key, value)] }), { what: key, deadlineMs: 40_000 });
const ask = async (url: string, init: RequestInit = {}): Promise<unknown> => {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
};

/** The leader first, then the others. */
async function ranked(consul: Consul): Promise<[ConsulServer, ConsulServer, ConsulServer]> {
  const raft = await ask(`${consul.url}/v1/operator/raft/configuration`);
  const leader = (raft as { Servers: { Node: string; Leader: boolean }[] }).Servers.find((each) => each.Leader)?.Node;
  const [first, second, third] = [...consul.servers].sort(
    (a, b) => Number(b.name === leader) - Number(a.name === leader),
  );
  if (!first || !second || !third || leader === undefined)
    throw new Error("three servers with a leader were asked for");
  return [first, second, third];
}

/** What must hold after any fault: watchers end equal to a fresh read, a write with a stale revision is refused. */
async function whole(store: Store, watchers: readonly Watcher[], stale: number): Promise<void> {
  await write(store, "/a/fence", "after");
  // Read again each time: a call that ended unavailable may have its write done later, when the server it asked finds a leader.
  for (const watcher of watchers) {
    await waitFor(async () => isDeepStrictEqual(sorted(watcher.state.values()), (await store.list("/a/")).entries), {
      what: "the watcher to be equal to a fresh read",
      deadlineMs: 20_000,
    });
  }
  const refused = await store.txn({
    if: [{ key: "/a/fence", modRev: stale }],
    then: [put("/a/fence", "from the past")],
    else: [{ op: "get", key: "/a/fence" }],
  });
  expect(refused.ok).toBe(false);
  expect(text(refused.entries[0]?.value)).toBe("after");
}

test("the leader killed with -9: calls and watches go on, through it and past it; then all killed and started on their data", async () => {
  const consul = await start({ servers: 3 });
  const [leader, second, third] = await ranked(consul);
  const past = await open(hostsOf([second, third]));
  const through = await open(hostsOf([leader, second, third]));
  const { rev: stale } = await write(past, "/a/fence", "before");
  const watchers = [await watching(past, "/a/"), await watching(through, "/a/")];
  await leader.daemon.kill();
  const started = performance.now();
  await write(through, "/a/1");
  expect(performance.now() - started).toBeLessThan(20_000);
  await whole(past, watchers, stale);
  expect(watchers.map(resets)).toEqual([1, 1]); // the index went on, so they did

  await Promise.all([second, third].map((server) => server.daemon.kill()));
  expect(["unavailable", "timeout"]).toContain(String(await code(past.get("/a/1"))));
  await waitFor(() => !past.status().connected, { what: "the status to tell" });
  for (const server of consul.servers) server.daemon.launch();
  await Promise.all(consul.servers.map((server) => server.daemon.untilReady()));
  await write(past, "/a/2");
  await whole(through, watchers, stale);
  await waitFor(() => past.status().connected && through.status().connected, { what: "the status to recover" });
});

test("the leader stopped like a hung machine: a new one is found, what waited at the old one is asked anew", async () => {
  const consul = await start({ servers: 3 });
  const [leader, second, third] = await ranked(consul);
  const past = await open(hostsOf([second, third]));
  const through = await open(hostsOf([leader, second, third]));
  const { rev: stale } = await write(past, "/a/fence", "before");
  // One that only watches, and looks again when there is a new leader already: nothing of it fails at the old one.
  const quiet = await open(hostOf(second), { probeMs: 6000 });
  const watchers = [await watching(quiet, "/a/"), await watching(past, "/a/"), await watching(through, "/a/")];
  await waitFor(() => quiet.status().connected, { what: "the first look at the leader" });
  await leader.daemon.pause();
  const started = performance.now();
  const { rev } = await write(past, "/a/1");
  // Without a look at the leader, these would wait in the hung one for minutes.
  for (const watcher of watchers) await watcher.reach(rev, 20_000);
  expect(performance.now() - started).toBeLessThan(30_000);
  await whole(through, watchers, stale);
  leader.daemon.resume();
  await whole(through, watchers, stale);
  const old = await open(hostOf(leader)); // the former leader refuses too, now that it is none
  await waitFor(async () => await old.get("/a/1"), { what: "the former leader to answer", deadlineMs: 20_000 });
  await whole(old, watchers, stale);
});

test("no leader: calls end in time, status says why; with a quorum all goes on", async () => {
  const consul = await start({ servers: 3 });
  const [leader, second, third] = await ranked(consul);
  const store = await open(hostOf(third));
  const { rev: stale } = await write(store, "/a/fence", "before");
  const watcher = await watching(store, "/a/");
  await Promise.all([leader, second].map((server) => server.daemon.kill()));
  await waitFor(() => store.status().reason?.includes("no leader"), {
    what: "the status to say why",
    deadlineMs: 20_000,
  });
  expect(store.status().connected).toBe(false);
  const calls = [
    () => store.get("/a/fence"),
    () => store.txn({ then: [put("/a/never")] }),
    () => store.grantLease(10_000),
  ];
  for (const call of calls) {
    const started = performance.now();
    expect(await code(call())).toBe("unavailable");
    expect(performance.now() - started).toBeLessThan(3000);
  }
  for (const server of [leader, second]) server.daemon.launch();
  await Promise.all([leader, second].map((server) => server.daemon.untilReady()));
  await whole(store, [watcher], stale);
  await waitFor(() => store.status().connected, { what: "the status to recover" });
});

for (const writes of [1, 60]) {
  test(`a server that lost its data, then with ${writes < 5 ? "less" : "more"} history: watchers end equal`, async () => {
    const consul = await start();
    const [server] = consul.servers;
    if (!server) throw new Error("one server was asked for");
    const store = await open(hostOf(server));
    for (let n = 0; n < 40; n++) await write(store, "/a/old", `${n}`);
    await write(store, "/a/kept", "old");
    const { rev: stale } = await write(store, "/a/fence", "before");
    const watcher = await watching(store, "/a/");
    await server.daemon.kill();
    rmSync(join(dirname(server.daemon.options.logFile), server.name), { recursive: true });
    const proxyOff = await open("127.0.0.1:1"); // meanwhile another process writes
    expect(await code(proxyOff.get("/a/old"))).toBe("unavailable");
    await server.daemon.start();
    const other = await open(hostOf(server));
    for (let n = 0; n < writes; n++) await write(other, "/a/kept", `${n}`);
    await waitFor(() => !watcher.state.has("/a/old"), { what: "the watcher to forget", deadlineMs: 20_000 });
    await whole(store, [watcher], stale);
    expect(text(watcher.state.get("/a/kept")?.value)).toBe(`${writes - 1}`);
    if (writes === 1) expect(resets(watcher)).toBeGreaterThan(1);
  });
}

test("a session runs out over a change of leaders: not before its TTL, not long after; who held it is refused", async () => {
  const consul = await start({ servers: 3 });
  const [leader, second, third] = await ranked(consul);
  const store = await open(hostsOf([second, third]), { timeoutMs: 5000 });
  const { rev: stale } = await write(store, "/a/fence", "before");
  const watcher = await watching(store, "/a/");
  const lease = await store.grantLease(10_000);
  const granted = performance.now();
  const { rev } = await store.txn({ then: [put("/a/lost", "1", lease.id), put("/a/lost2", "1", lease.id)] });
  await watcher.reach(rev);
  await leader.daemon.kill();
  await waitFor(async () => await store.get("/a/lost"), { what: "the new leader", deadlineMs: 20_000 });
  const led = performance.now();
  await waitFor(() => !watcher.state.has("/a/lost") && !watcher.state.has("/a/lost2"), {
    what: "the keys to go",
    deadlineMs: 40_000,
  });
  expect(performance.now() - granted).toBeGreaterThan(lease.ttlMs);
  // The new leader begins to count anew.
  expect(performance.now() - led).toBeLessThan(lease.ttlMs + store.capabilities.leaseSlackMs);
  expect(await code(store.txn({ then: [put("/a/lost", "back", lease.id)] }))).toBe("lease_expired");
  expect((await store.keepAlive([lease.id])).get(lease.id)).toBe("expired");
  await whole(store, [watcher], stale);
});

test("keys change their lease in one transaction and stay as old; of many who take one key the last has it", async () => {
  const consul = await start();
  const store = await open(hostsOf(consul.servers));
  const [one, two] = await Promise.all([store.grantLease(60_000), store.grantLease(60_000)]);
  const names = Array.from({ length: store.capabilities.maxOperations }, (_, i) => `/a/${i}`);
  const made = await store.txn({ then: names.map((key) => put(key, "1", one.id)) });
  const moved = await store.txn({
    if: names.map((key) => ({ key, modRev: made.rev })),
    then: names.map((key) => put(key, "2", two.id)),
  });
  expect(moved).toMatchObject({ ok: true, wrote: true });
  for (const entry of (await store.list("/a/")).entries) {
    expect(entry).toMatchObject({ createRev: made.rev, modRev: moved.rev, lease: two.id });
  }
  const again = await store.txn({ if: [{ key: "/a/0", createRev: made.rev }], then: [put("/a/0", "2", two.id)] });
  expect(again.ok).toBe(true);
  expect(await store.get("/a/0")).toMatchObject({ createRev: made.rev, modRev: again.rev }); // the same value is a put too

  const leases = await Promise.all(Array.from({ length: 8 }, () => store.grantLease(60_000)));
  const results = await Promise.all(leases.map(({ id }) => store.txn({ then: [put("/a/0", id, id)] })));
  const last = results.reduce((a, b) => (b.rev > a.rev ? b : a));
  const owner = leases[results.indexOf(last)]?.id;
  expect(await store.get("/a/0")).toMatchObject({ createRev: made.rev, modRev: last.rev, lease: owner });
  for (const { id } of leases) await store.revokeLease(id);
  await store.revokeLease(two.id);
  expect((await store.list("/a/")).entries).toEqual([]);
});

test("a createRev condition against 20 writers of the key", async () => {
  const consul = await start();
  const store = await open(hostsOf(consul.servers));
  const { rev } = await store.txn({ then: [put("/a/k", "0")] });
  const tries = Array.from({ length: 20 }, (_, n) =>
    store.txn({ if: [{ key: "/a/k", createRev: rev }], then: [put("/a/k", `${n}`)] }).then(
      (result) => result.ok,
      (error) => error.code,
    ),
  );
  const results = await Promise.all(tries);
  expect(results.filter((result) => result !== true && result !== "unavailable")).toEqual([]);
  expect(results).toContain(true);
  await store.txn({ then: [{ op: "delete", key: "/a/k" }] });
  await store.txn({ then: [put("/a/k", "new")] });
  expect((await store.txn({ if: [{ key: "/a/k", createRev: rev }], then: [put("/a/k", "late")] })).ok).toBe(false);
});

test("connections that are half-open, and a delete above the watched prefix: noticed", async () => {
  const consul = await start();
  const proxy = await FreezingProxy.start(Number(new URL(consul.url).port));
  cleanUps.push(() => proxy.close());
  const direct = await open(hostsOf(consul.servers));
  const { rev: stale } = await write(direct, "/a/fence", "before");
  const probing = await open(`127.0.0.1:${proxy.port}`);
  const first = await watching(probing, "/a/");
  proxy.freeze();
  await first.reach((await write(direct, "/a/1")).rev, 20_000);

  const patient = await open(`127.0.0.1:${proxy.port}`, { timeoutMs: 4000, probeMs: 200, silentMs: 1000 });
  const second = await watching(patient, "/a/");
  const deep = await watching(await open(hostsOf(consul.servers), { silentMs: 1000 }), "/a/deep/");
  await write(direct, "/a/deep/1");
  const { rev } = await write(direct, "/a/deep/2");
  for (const watcher of [first, second, deep]) await watcher.reach(rev, 20_000);
  proxy.freeze();
  await direct.txn({ then: [{ op: "deletePrefix", prefix: "/a/d" }] });
  await waitFor(() => deep.state.size === 0, { what: "the deep watcher to see the delete", deadlineMs: 20_000 });
  await whole(direct, [first, second], stale);
});

test("a watcher that is far too slow gets a reset, not an endless queue", async () => {
  const consul = await start();
  const store = await open(hostsOf(consul.servers), { watchLimit: 50 });
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const watcher = new Watcher(store, "/a/", undefined, () => gate);
  cleanUps.push(() => watcher.stop());
  await waitFor(() => watcher.events[0], { what: "the first event" });
  let last = 0;
  for (let n = 0; n < 200; n++) last = (await write(store, `/a/${n}`)).rev;
  release();
  await watcher.reach(last);
  expect(resets(watcher)).toBeGreaterThan(1);
  expect(watcher.events.length).toBeLessThan(300);
  expect(sorted(watcher.state.values())).toEqual((await store.list("/a/")).entries);
});

test("ACLs: a token that may, tokens that may not, none; the token is in no message", async () => {
  const root = "5eb1c7f2-0000-4000-8000-0123456789ab";
  const hcl = `acl { enabled = true default_policy = "deny" tokens { initial_management = "${root}" agent = "${root}" } }`;
  const consul = await start({ hcl });
  const admin = async (path: string, body: unknown) =>
    (await waitFor(
      () => ask(consul.url + path, { method: "PUT", headers: { "x-consul-token": root }, body: JSON.stringify(body) }),
      { what: path, deadlineMs: 20_000 },
    )) as { SecretID: string };
  const token = async (name: string, rules: string) => {
    await admin("/v1/acl/policy", { Name: name, Rules: rules });
    return (await admin("/v1/acl/token", { Policies: [{ Name: name }] })).SecretID;
  };
  const app = await token("app", 'key_prefix "test/" { policy = "write" } session_prefix "" { policy = "write" }');
  const reader = await token("reader", 'key_prefix "test/" { policy = "read" }');
  const nothing = await token("nothing", 'key_prefix "elsewhere/" { policy = "write" }');
  const [server] = consul.servers;
  if (!server) throw new Error("one server was asked for");
  const host = hostOf(server);

  const dir = scratchDir();
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "token"), `${app}\n`);
  const store = await open(host, {}, {}, `/test?token-file=${join(dir, "token")}`);
  const { rev: stale } = await write(store, "/a/fence", "before");
  const watcher = await watching(store, "/a/");
  const lease = await store.grantLease(10_000);
  await store.txn({ then: [put("/a/leased", "1", lease.id)] });
  expect((await store.keepAlive([lease.id])).get(lease.id)).toBe(10_000);
  await whole(store, [watcher], stale);
  expect((await store.list("/nothing/here/")).entries).toEqual([]);

  const may = await open(host, {}, { CONSUL_HTTP_TOKEN: reader });
  expect(text((await may.get("/a/fence"))?.value)).toBe("after");
  expect(await code(may.txn({ then: [put("/a/x")] }))).toBe("unauthorized");
  expect(await code(may.txn({ if: [{ key: "/a/x", exists: false }], then: [put("/a/x")] }))).toBe("unauthorized");
  expect(await code(may.grantLease(10_000))).toBe("unauthorized");

  const unknown = "c0ffee00-0000-4000-8000-000000000000";
  for (const secret of [nothing, unknown, ""]) {
    const stranger = await open(host, {}, { CONSUL_HTTP_TOKEN: secret });
    const seen = new Watcher(stranger, "/a/");
    cleanUps.push(() => seen.stop());
    for (const call of [
      () => stranger.get("/a/fence"),
      () => stranger.list("/a/"),
      () => stranger.list("/nothing/here/"), // an empty prefix looks the same as one that is hidden
      () => stranger.txn({ then: [put("/a/x")] }),
      () => stranger.grantLease(10_000),
    ]) {
      const error = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ code: "unauthorized", retry: false });
      if (secret !== "") expect(String(error)).not.toContain(secret);
    }
    await waitFor(() => /Permission denied|not found|may not read/.test(stranger.status().reason ?? ""), {
      what: "the reason",
    });
    expect(stranger.status().connected).toBe(false);
    expect(seen.events).toEqual([]);
  }
});

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
  const [port, serf, raft] = await freePorts(3);
  const files = `ca_file = "${at("ca.pem")}" cert_file = "${at("server.pem")}" key_file = "${at("server.key")}"`;
  const ports = `http = -1 https = ${port} serf_lan = ${serf} server = ${raft} serf_wan = -1 dns = -1 grpc = -1 grpc_tls = -1`;
  const hcl = `server = true bootstrap_expect = 1 bind_addr = "127.0.0.1" client_addr = "127.0.0.1" data_dir = "${at("data")}"
    disable_update_check = true ports { ${ports} } tls { https { ${files} verify_incoming = true } }`;
  const daemon = await Daemon.start({
    name: "consul with TLS",
    argv: [join(await built("consul"), "consul"), "agent", "-hcl", hcl],
    logFile: at("log"),
  });
  cleanUps.push(() => daemon.stop(3000));
  const secure = async (query: string, env: Record<string, string> = {}) => {
    const store = await openConsul(`consuls://127.0.0.1:${port}/test${query}`, { env });
    cleanUps.push(() => store.close());
    return store;
  };
  const pair = `cert=${at("client.pem")}&key=${at("client.key")}`;
  const store = await secure(`?ca=${at("ca.pem")}&${pair}`);
  const { rev } = await write(store, "/a/1");
  const watcher = await watching(store, "/a/");
  await watcher.reach(rev);
  expect(watcher.state.has("/a/1")).toBe(true);
  expect(store.url).toBe(`consuls://127.0.0.1:${port}/test`);
  expect(await code((await secure(`?ca=${at("ca.pem")}`)).get("/a/1"))).toBe("unavailable");
  const trusting = await secure(`?${pair}`);
  expect(await code(trusting.get("/a/1"))).toBe("unavailable");
  expect(trusting.status().reason).toMatch(/certificate|issuer|trust|authority/i);
  const unverified = await secure(`?${pair}`, { CONSUL_HTTP_SSL_VERIFY: "false" });
  expect(text((await unverified.get("/a/1"))?.value)).toBe("v");
});
