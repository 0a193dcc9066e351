import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { cachedPath, goParts } from "./build.ts";
import { freePorts } from "./freePort.ts";
import { lockDir, removeFreeLocks, tryLock } from "./locks.ts";
import { isRunning, processEntry } from "./procfs.ts";

test("a lock has one holder, and releasing twice is harmless", () => {
  const name = `test-${process.pid}`;
  const lock = tryLock(name);
  expect(lock).toBeDefined();
  expect(tryLock(name)).toBeUndefined();
  lock?.release();
  const again = tryLock(name);
  expect(again).toBeDefined();
  lock?.release(); // not the new one's
  expect(tryLock(name)).toBeUndefined();
  again?.release();
});

test("the kernel lets go of a lock when its holder is killed", async () => {
  const name = `test-killed-${process.pid}`;
  const code = `import { lockDir, removeFreeLocks, tryLock } from "./locks.ts"; tryLock("${name}"); console.log("held"); setInterval(() => {}, 1000);`;
  const child = Bun.spawn([process.execPath, "-e", code], { cwd: import.meta.dir, stdout: "pipe" });
  await child.stdout.getReader().read();
  expect(tryLock(name)).toBeUndefined();
  child.kill("SIGKILL");
  await child.exited;
  const lock = tryLock(name);
  expect(lock).toBeDefined();
  lock?.release();
});

test("files of locks that nobody holds are removed, the held ones stay", async () => {
  const names = [`test-held-${process.pid}`, `test-left-${process.pid}`];
  const file = (name = "") => join(lockDir, `${name}.lock`);
  const lock = tryLock(names[0] ?? "");
  writeFileSync(file(names[1]), "");
  removeFreeLocks();
  expect([existsSync(file(names[0])), existsSync(file(names[1]))]).toEqual([true, false]);
  expect(tryLock(names[0] ?? "")).toBeUndefined();
  lock?.release();
  expect(existsSync(file(names[0]))).toBe(false);
});

test("free ports differ, can be bound, and nothing listens on them", async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  const [port = 0] = ports;
  const refused = new Promise((resolve) =>
    connect({ port, host: "127.0.0.1" }).once("error", () => resolve("refused")),
  );
  expect(await refused).toBe("refused");
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", () => resolve()));
  server.close();
});

test("a process is known by pid and start time, and a dead one is not running", async () => {
  const child = Bun.spawn(["sleep", "60"]);
  expect(processEntry(child.pid)).toMatchObject({ pid: child.pid, parent: process.pid });
  expect(Number(processEntry(child.pid)?.startTime)).toBeGreaterThan(0);
  child.kill("SIGKILL");
  await child.exited;
  expect(isRunning(child.pid)).toBe(false);
});

test.each(goParts)("the cache of %s is named by the version that its go.mod pins", (part) => {
  expect(cachedPath(part)).toMatch(new RegExp(`/quayside/${part}-\\d+\\.\\d+\\.\\d+(-beta\\.\\d+)?$`));
});
