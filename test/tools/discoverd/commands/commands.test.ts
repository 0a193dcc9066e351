import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instanceAt } from "../../../lib/discovery/helpers.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { runVerb, startDaemon, startVerb } from "./runVerb.ts";

let daemon: Awaited<ReturnType<typeof startDaemon>>;
const dir = mkdtempSync(join(tmpdir(), "verbs-"));
beforeAll(async () => {
  daemon = await startDaemon();
});
afterAll(async () => {
  await daemon.stop();
  rmSync(dir, { recursive: true });
});
const run = (...args: string[]) => runVerb(daemon.url, args);

test("check: 0 when the daemon is ready, 1 when nobody answers; -s says nothing", async () => {
  expect(await run("check")).toMatchObject({ code: 0, stdout: expect.stringContaining("ready: ") });
  expect(await run("check", "-s")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(await runVerb("http://127.0.0.1:1", ["check", "-s"])).toMatchObject({ code: 1, stdout: "", stderr: "" });
  expect(await runVerb("http://127.0.0.1:1", ["check"])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("not ready"),
  });
  expect(JSON.parse((await run("check", "--json")).stdout)).toMatchObject({ ready: true });
}, 20_000);

test("instances: the oldest, by state, meta and zone; waits for the first", async () => {
  const { client } = daemon;
  await client.addService("shop");
  await client.register("shop", { ...instanceAt("10.0.0.1:80", { v: "1" }), zone: "a" }, { held: true });
  await client.register("shop", { ...instanceAt("10.0.0.2:80", { v: "2" }), zone: "b" }, { held: true });
  await client.register("shop", instanceAt("10.0.0.3:80"), { held: true });
  await client.setState("shop", instanceAt("10.0.0.3:80").id, { state: "maintenance", reason: "new disk" });
  const out = async (...args: string[]) => (await run("instances", "shop", ...args)).stdout;
  expect(await out()).toBe("10.0.0.1:80\n10.0.0.2:80\n");
  expect(await out("-1")).toBe("10.0.0.1:80\n");
  expect(await out("-1", "--meta", "v=2")).toBe("10.0.0.2:80\n");
  expect(await out("--zone", "b")).toBe("10.0.0.2:80\n");
  expect(await out("--state", "maintenance")).toBe("10.0.0.3:80\n");
  expect(await out("--all", "--long")).toContain("maintenance  new disk");
  expect(JSON.parse(await out("--json"))).toHaveLength(2);
  expect(await run("instances", "shop", "--zone", "c")).toMatchObject({ code: 1, stdout: "" });
  expect(await run("instances", "nobody")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no service "nobody"'),
  });
  const waiting = startVerb(daemon.url, ["instances", "late", "-1", "--wait", "8s"]);
  await client.addService("late");
  await client.register("late", instanceAt("10.0.0.9:80"), { held: true });
  expect(await waiting.end()).toMatchObject({ code: 0, stdout: "10.0.0.9:80\n" });
}, 30_000);

test("services, leader, meta: what they print and refuse", async () => {
  const { client } = daemon;
  await client.addService("db", { leader_type: "manual" });
  await client.register("db", instanceAt("10.0.1.1:5432"), { held: true });
  expect((await run("services", "db")).stdout).toMatch(/^NAME .*\ndb +manual +1\n$/);
  expect(JSON.parse((await run("services", "db", "--json")).stdout)).toEqual([
    { name: "db", leader: "manual", instances: 1 },
  ]);
  expect(await run("leader", "db")).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody leads") });
  const following = startVerb(daemon.url, ["leader", "db", "--follow"]);
  await waitFor(() => following.seen.stdout === "\n", { what: "nobody" });
  expect(await run("leader", "db", "--set", "10.0.1.1:5432")).toMatchObject({ code: 0 });
  expect(await run("leader", "db", "--set", "10.0.1.7:5432")).toMatchObject({ code: 1 });
  await waitFor(() => following.seen.stdout === "\n10.0.1.1:5432\n", { what: "the leader" });
  following.child.kill("SIGTERM");
  await following.end();
  expect((await run("leader", "db")).stdout).toBe("10.0.1.1:5432\n");
  expect(JSON.parse((await run("leader", "db", "--json")).stdout).fencingToken).toBeGreaterThan(0);

  expect(await run("meta", "get", "db")).toMatchObject({ code: 1 });
  const set = await run("meta", "set", "db", '{"a":[1,2]}', "--json");
  const { index } = JSON.parse(set.stdout) as { index: number };
  expect((await run("meta", "get", "db")).stdout).toBe('{"a":[1,2]}\n');
  expect(await run("meta", "set", "db", "2", "--index", "0")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("already exists"),
  });
  expect(await run("meta", "set", "db", "2", "--index", String(index))).toMatchObject({ code: 0 });
  expect(await run("meta", "set", "db", "nonsense")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("not JSON"),
  });
  expect(await runVerb(daemon.url, ["meta", "set", "db", "-"], { stdin: '"in"' })).toMatchObject({ code: 0 });
  expect((await client.meta("db"))?.data).toBe("in");
}, 60_000);

test("export and import: all there, told beforehand, the second time nothing", async () => {
  const { client } = daemon;
  await client.addService("moved", { leader_type: "manual" });
  await client.setMeta("moved", { data: { deep: [{ x: 1 }] }, index: 0 });
  const instance = { ...instanceAt("10.0.2.1:80", { a: "b" }), weight: 7, zone: "z" };
  await client.register("moved", instance, { held: true });
  await client.setLeader("moved", instance.id);
  const exported = (await run("export", "moved")).stdout;
  expect(JSON.parse(exported).services).toHaveLength(1);
  const other = await startDaemon();
  try {
    const into = (...args: string[]) => runVerb(other.url, ["import", "-", ...args], { stdin: exported });
    expect(
      JSON.parse((await into("--dry-run", "--json")).stdout).map((each: { action: string }) => each.action),
    ).toEqual(["add service", "set meta", "add instance", "name leader"]);
    expect(await other.client.services()).toEqual([]);
    expect(await into("--ttl", "1h")).toMatchObject({ code: 0 });
    expect((await runVerb(other.url, ["export", "moved"])).stdout).toBe(exported);
    expect(await into()).toMatchObject({ code: 0, stdout: "nothing to change\n" });
    const changed = exported.replace('"a": "b"', '"a": "c"').replace('"manual"', '"oldest"');
    const told = await runVerb(other.url, ["import", "-", "--json"], { stdin: changed });
    expect(JSON.parse(told.stdout).map((each: { action: string }) => each.action)).toEqual([
      "left as it is",
      "update instance",
    ]);
    expect((await other.client.instances("moved"))?.[0]?.meta).toEqual({ a: "c" });
  } finally {
    await other.stop();
  }
  const file = join(dir, "bad.json");
  for (const [text, why] of [
    ["{", "not JSON"],
    ['{"format":"discoverd/1","services":[{"name":"x","zone":1}]}', "zone"],
    ['{"format":"other","services":[]}', "format"],
  ] as const) {
    writeFileSync(file, text);
    expect(await run("import", file)).toMatchObject({ code: 2, stderr: expect.stringContaining(why) });
  }
}, 60_000);

test("events: why things came and went, and what comes", async () => {
  const { client } = daemon;
  await client.addService("news");
  await client.register("news", instanceAt("10.0.3.1:80"), { held: true });
  const following = startVerb(daemon.url, ["events", "news", "--follow", "--json"]);
  await waitFor(() => following.lines.length >= 2, { what: "the past" });
  await client.setState("news", instanceAt("10.0.3.1:80").id, { state: "draining", reason: "deploy" });
  await client.deregister("news", instanceAt("10.0.3.1:80").id);
  const entries = () =>
    following.lines.map((line) => JSON.parse(line) as { change: string; why: string; detail?: string });
  await waitFor(() => entries().some(({ why }) => why === "deregistered"), { what: "the end" });
  following.child.kill("SIGTERM");
  await following.end();
  const told = entries().map(({ change, why }) => `${change} ${why}`);
  expect(told).toContain("up registered");
  expect(told).toContain("state operator");
  expect(new Set(following.lines).size).toBe(following.lines.length);
  const last = await run("events", "news", "-n", "1");
  expect(last.stdout.trim().split("\n")).toHaveLength(1);
}, 30_000);

test("watch --exec runs with the state on stdin, now and on each change", async () => {
  const { client } = daemon;
  await client.addService("seen");
  const file = join(dir, "seen");
  const script = `cat >> ${file}; echo "$DISCOVERD_SERVICE [$DISCOVERD_ADDRS] $DISCOVERD_LEADER"`;
  const watching = startVerb(daemon.url, ["watch", "seen", "--exec", script]);
  await waitFor(() => watching.lines.includes("seen [] "), { what: "the first run" });
  await client.register("seen", instanceAt("10.0.4.1:80"), { held: true });
  await waitFor(() => watching.lines.at(-1) === "seen [10.0.4.1:80] 10.0.4.1:80", { what: "the second run" });
  await client.register("seen", instanceAt("10.0.4.2:80"), { held: true });
  await waitFor(() => watching.lines.at(-1) === "seen [10.0.4.1:80 10.0.4.2:80] 10.0.4.1:80", {
    what: "the third run",
  });
  watching.child.kill("SIGTERM");
  await watching.end();
  const states = (await Bun.file(file).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(states.at(-1)).toMatchObject({ service: "seen", leader: { addr: "10.0.4.1:80" } });
  expect(states.at(-1).instances).toHaveLength(2);
  expect(await run("watch", "--exec", "true")).toMatchObject({ code: 2 });
}, 30_000);
