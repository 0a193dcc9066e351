import { afterAll, expect, test } from "bun:test";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore } from "../../../lib/store/openStore.ts";
import { openSqlite } from "../../../lib/store/sqlite/openSqlite.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { put } from "./conformance/suite.ts";
import { Watcher } from "./conformance/Watcher.ts";

const dir = scratchDir();
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const writer = fileURLToPath(new URL("./fixtures/writer.ts", import.meta.url));

/** The writer in a process of its own, and what it has printed so far. */
function startWriter(file: string, mode: "write" | "hold") {
  const child = Bun.spawn([process.execPath, writer, `sqlite:${file}`, mode], { stdout: "pipe", stderr: "inherit" });
  let output = "";
  const reading = (async () => {
    for await (const chunk of child.stdout) output += new TextDecoder().decode(chunk);
  })();
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
    await reading;
  };
  return { pid: child.pid, kill, lines: () => output.split("\n").slice(0, -1) };
}

test("kill -9 loses nothing that was acknowledged, and no txn is half there", async () => {
  const file = join(dir, "crash.db");
  let acknowledged = 0;
  for (const enough of [1, 50, 400]) {
    const child = startWriter(file, "write");
    await waitFor(() => child.lines().length > enough, { what: `${enough} acknowledged writes` });
    await child.kill();
    const numbers = child.lines().slice(1).map(Number);
    acknowledged += numbers.length;
    const store = await openStore(`sqlite:${file}`);
    const { entries, rev } = await store.list("/n/");
    const there = new Map(entries.map((entry) => [entry.key, entry]));
    for (const n of numbers) expect(there.get(`/n/${n}`)?.value).toEqual(new Uint8Array(300).fill(n));
    const newest = entries.reduce((a, b) => (b.modRev > a.modRev ? b : a));
    expect(await store.get("/last")).toMatchObject({ modRev: newest.modRev, value: newest.value });
    expect(rev).toBeGreaterThanOrEqual(newest.modRev);
    expect((await store.txn({ then: [put("/more")] })).rev).toBeGreaterThan(rev);
    await store.close();
  }
  expect(acknowledged).toBeGreaterThan(450);
});

test("a second process is told who holds the file, and gets it when the holder is killed", async () => {
  const file = join(dir, "held.db");
  const child = startWriter(file, "hold");
  await waitFor(() => child.lines().includes("ready"), { what: "the holder" });
  const error = await openStore(`sqlite:${file}`).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "in_use", retry: false });
  expect((error as Error).message).toContain(`process ${child.pid} holds it`);
  expect((error as Error).message).toContain(file);
  await child.kill();
  await (await openStore(`sqlite:${file}`)).close();
});

test("a refused request in a group leaves the others alone", async () => {
  const store = await openStore("memory:");
  const results = await Promise.allSettled([
    store.txn({ then: [put("/a")] }),
    store.txn({ then: [put("/half"), put("/b", "v", "nolease")] }),
    store.txn({ if: [{ key: "/a", exists: true }], then: [put("/c")] }),
  ]);
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect((await store.list("")).entries.map((entry) => entry.key)).toEqual(["/a", "/c"]);
  expect(results[2]).toMatchObject({ value: { ok: true, rev: 2 } }); // it saw what came before it in the group
  await store.close();
});

test("deletions beyond the log: a watch from before them begins with reset, also after a restart", async () => {
  const file = join(dir, "trim.db");
  const open = () => openSqlite(`sqlite:${file}`, {}, { keepDeletions: 20 });
  let store = await open();
  const { rev } = await store.txn({ then: [put("/a"), put("/stays")] });
  let last = 0;
  for (let n = 0; n < 60; n++) {
    await store.txn({ then: [put(`/x${n}`)] });
    last = (await store.txn({ then: [{ op: "delete", key: `/x${n}` }] })).rev;
  }
  for (const restarted of [false, true]) {
    if (restarted) {
      await store.close();
      store = await open();
    }
    const old = new Watcher(store, "/", rev);
    await old.reach(last);
    expect(old.events.map((event) => event.type)).toEqual(["reset", "progress"]);
    expect([...old.state.keys()]).toEqual(["/a", "/stays"]);
    const recent = new Watcher(store, "/", last - 2);
    await recent.reach(last);
    expect(recent.events.map((event) => event.type)).toEqual(["delete", "progress"]);
    for (const watcher of [old, recent]) watcher.stop();
    await Promise.all([old.done, recent.done]);
  }
  await store.close();
});

test("a watcher that fell behind replays the deletions too", async () => {
  const store = await openSqlite("memory:", {}, { watchLimit: 5 });
  await store.txn({ then: [put("/a"), put("/b")] });
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const watcher = new Watcher(store, "/", undefined, () => gate);
  await waitFor(() => watcher.events[0], { what: "the reset" });
  await store.txn({ then: [{ op: "delete", key: "/a" }] });
  let last = 0;
  for (let n = 0; n < 20; n++) last = (await store.txn({ then: [put(`/n${n}`)] })).rev;
  release();
  await watcher.reach(last);
  expect(watcher.events.filter((event) => event.type === "reset").length).toBe(1);
  expect([...watcher.state.keys()].sort()).toEqual((await store.list("/")).entries.map((entry) => entry.key));
  watcher.stop();
  await watcher.done;
  await store.close();
});

test("a keepalive is never a write", async () => {
  const file = join(dir, "alive.db");
  const store = await openStore(`sqlite:${file}`);
  const lease = await store.grantLease(10_000);
  const { rev } = await store.txn({ then: [put("/a", "v", lease.id)] });
  const before = statSync(`${file}-wal`);
  for (let n = 0; n < 500; n++) await store.keepAlive([lease.id]);
  const after = statSync(`${file}-wal`);
  expect([after.size, after.mtimeMs]).toEqual([before.size, before.mtimeMs]);
  expect((await store.list("")).rev).toBe(rev);
  await store.close();
});

test("a stall of the process expires nobody; after it the TTL counts again", async () => {
  let ahead = 0;
  let looks = 0;
  const now = () => {
    looks++;
    return performance.now() + ahead;
  };
  const store = await openSqlite("memory:", {}, { now });
  const lease = await store.grantLease(800);
  await store.txn({ then: [put("/a", "v", lease.id)] });
  ahead += 60_000; // to the store, its process stood still for a minute
  const seen = looks;
  await waitFor(() => looks > seen, { what: "the next look at the clock" });
  expect((await store.keepAlive([lease.id])).get(lease.id)).toBe(800);
  expect(await store.get("/a")).toBeDefined();
  await waitFor(async () => (await store.get("/a")) === undefined, { what: "the lease to run out" });
  await store.close();
});

test("leases have their full TTL again after a restart", async () => {
  const file = join(dir, "leases.db");
  let store = await openStore(`sqlite:${file}`);
  const lease = await store.grantLease(600);
  await store.txn({ then: [put("/a", "v", lease.id)] });
  await store.close();
  const closed = performance.now();
  await waitFor(() => performance.now() - closed > 700, { what: "the TTL to pass while nobody runs" });
  store = await openStore(`sqlite:${file}`);
  expect(await store.get("/a")).toMatchObject({ lease: lease.id });
  expect((await store.keepAlive([lease.id])).get(lease.id)).toBe(600);
  await waitFor(async () => (await store.get("/a")) === undefined, { what: "the lease to run out" });
  await store.close();
});
