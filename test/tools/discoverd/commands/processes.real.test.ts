import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { instanceAt } from "../../../lib/discovery/helpers.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { runVerb, startDaemon, startVerb } from "./runVerb.ts";

let daemon: Awaited<ReturnType<typeof startDaemon>>;
let dir: string;
beforeAll(async () => {
  daemon = await startDaemon();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "run-"));
});
afterAll(async () => {
  await daemon.stop();
  rmSync(dir, { recursive: true });
});
const addrs = async (service: string) => ((await daemon.client.instances(service)) ?? []).map(({ addr }) => addr);
const text = (name: string) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), "utf8") : "");
const isAlive = (pid: string) => {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
};

describe("exec", () => {
  test.each([
    [["sh", "-c", "exit 0"], 0],
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "kill -9 $$"], 137],
    [["true"], 0],
    [["/no/such/program"], 127],
    [["/etc/passwd"], 126],
    [["sh", "-c", "test $# = 1", "sh", "-h"], 0],
    [["echo", "--version"], 0],
  ])("%j ends with %i, and leaves nothing registered", async (command, code) => {
    const { code: seen } = await runVerb(daemon.url, ["exec", "-s", "ends:8080", ...command]);
    expect(seen).toBe(code);
    expect(await addrs("ends")).toEqual([]);
  });

  test("arguments reach the command whole, one of them too; several services are registered while it runs", async () => {
    const script = `echo "$@" > args; trap 'exit 3' TERM; while :; do sleep 0.05; done`;
    writeFileSync(join(dir, "cmd"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const flags = ["exec", "-h", "10.9.9.9", "-s", "one:8080", "-s", "two:8081", "-meta", "v=3"];
    const running = startVerb(daemon.url, [...flags, "./cmd", "only one"], { cwd: dir });
    await waitFor(async () => (await addrs("one")).length + (await addrs("two")).length === 2, {
      what: "both services",
    });
    expect(await addrs("one")).toEqual(["10.9.9.9:8080"]);
    expect(await addrs("two")).toEqual(["10.9.9.9:8081"]);
    expect((await daemon.client.instances("one"))?.[0]?.meta).toEqual({ v: "3" });
    expect(text("args")).toBe("only one\n");
    running.child.kill("SIGTERM");
    expect((await running.end()).code).toBe(3);
    expect([...(await addrs("one")), ...(await addrs("two"))]).toEqual([]);
  }, 30_000);

  test("signals are forwarded; it is out of the registry before the command hears of its end", async () => {
    // The command asks the daemon what is registered when its SIGTERM arrives.
    const script = `trap 'echo hup >> sig' HUP; trap 'echo usr1 >> sig' USR1
      trap 'curl -s ${daemon.url}/services/asked/instances > left; exit 0' TERM
      echo ready > sig; while :; do sleep 0.05; done`;
    const running = startVerb(daemon.url, ["exec", "-s", "asked:9000", "--", "sh", "-c", script], { cwd: dir });
    await waitFor(async () => (await addrs("asked")).length === 1 && text("sig") === "ready\n", { what: "it to run" });
    running.child.kill("SIGUSR1");
    await waitFor(() => text("sig").includes("usr1"), { what: "USR1 to arrive" });
    expect(await addrs("asked")).toHaveLength(1);
    running.child.kill("SIGTERM");
    expect((await running.end()).code).toBe(0);
    expect(text("left").trim()).toBe("[]");
  }, 30_000);

  test("in the registry only while its check passes", async () => {
    const port = await freePort();
    const check = `{"type":"tcp","interval_ms":100,"start_interval_ms":50,"flap_limit":0}`;
    const running = startVerb(daemon.url, ["exec", "-s", `checked:${port}`, "-check", check, "sleep", "60"]);
    await waitFor(() => running.child.pid > 0, { what: "it to start" });
    const listen = () => Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    expect(await addrs("checked")).toEqual([]);
    let server = listen();
    await waitFor(async () => (await addrs("checked")).length === 1, { what: "it to be registered" });
    server.stop(true);
    await waitFor(async () => (await addrs("checked")).length === 0, { what: "it to be taken out" });
    server = listen();
    await waitFor(async () => (await addrs("checked")).length === 1, { what: "it to be registered again" });
    running.child.kill("SIGTERM");
    expect((await running.end()).code).toBe(143);
    server.stop(true);
    expect(await addrs("checked")).toEqual([]);
  }, 30_000);

  test("a daemon that is away keeps nothing from running: the status comes, and soon", async () => {
    const started = performance.now();
    const done = await runVerb("http://127.0.0.1:1", ["exec", "-s", "alone:80", "sh", "-c", "echo ran; exit 6"]);
    expect(done).toMatchObject({ code: 6, stdout: "ran\n" });
    expect(performance.now() - started).toBeLessThan(6000);
  }, 20_000);

  test("what is wrong is said before anything starts", async () => {
    const wrong = [
      [["-s", "web"], "specify service in name:port format"],
      [["-s", "web:0"], "specify service in name:port format"],
      [["-s", "WEB:80"], "lowercase"],
      [["-s", "web:80", "-h", "a", "-i", "lo"], "specify either -h or -i"],
      [["-s", "web:80", "-i", "none0"], "no address"],
      [["-s", "web:80", "-check", "smoke"], "-check"],
      [[], "which service"],
    ] as const;
    for (const [flags, message] of wrong) {
      const done = await runVerb(daemon.url, ["exec", ...flags, "touch", join(dir, "ran")]);
      expect(done).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    }
    expect(await runVerb(daemon.url, ["exec", "-s", "web:80"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no command to exec"),
    });
    expect(existsSync(join(dir, "ran"))).toBe(false);
  }, 60_000);
});

test("expose: runs while all have leaders, is restarted when one moves, ends with the command", async () => {
  const { client } = daemon;
  for (const name of ["e-db", "e-cache"]) await client.addService(name);
  const script = `echo "$$ $DB $CACHE" >> runs; trap 'echo term >> runs; exit 0' TERM; while [ ! -e stop ]; do sleep 0.05; done; exit 5`;
  const flags = ["expose", "-d", "DB:e-db", "-d", "CACHE:e-cache"];
  const running = startVerb(daemon.url, [...flags, "sh", "-c", script], { cwd: dir });
  const runs = () => text("runs").trim().split("\n");
  await client.register("e-db", instanceAt("10.1.0.1:1"), { held: true });
  await client.register("e-db", instanceAt("10.1.0.2:1"), { held: true });
  expect(text("runs")).toBe("");
  await client.register("e-cache", instanceAt("10.1.0.3:1"), { held: true });
  await waitFor(() => runs().at(-1)?.endsWith("10.1.0.1:1 10.1.0.3:1"), { what: "the first start" });
  await client.deregister("e-db", instanceAt("10.1.0.1:1").id);
  await waitFor(() => runs().at(-1)?.endsWith("10.1.0.2:1 10.1.0.3:1"), { what: "a start with the new leader" });
  expect(runs()).toContain("term");
  const pid = runs().at(-1)?.split(" ")[0] ?? "";
  await client.deregister("e-cache", instanceAt("10.1.0.3:1").id);
  await waitFor(() => !isAlive(pid), { what: "it to be stopped" });
  await client.register("e-cache", instanceAt("10.1.0.4:1"), { held: true });
  await waitFor(() => runs().at(-1)?.endsWith("10.1.0.2:1 10.1.0.4:1"), { what: "the start after that" });
  writeFileSync(join(dir, "stop"), "");
  expect((await running.end()).code).toBe(5);
}, 60_000);

test("expose: asked to end while it stops the command for a new leader, it starts no other one", async () => {
  const { client } = daemon;
  await client.addService("e-end");
  await client.register("e-end", instanceAt("10.1.1.1:1"), { held: true });
  const script = `echo "$DB" >> runs; trap 'echo term >> runs; while [ ! -e stop ]; do sleep 0.05; done; exit 0' TERM; while :; do sleep 0.05; done`;
  const running = startVerb(daemon.url, ["expose", "-d", "DB:e-end", "sh", "-c", script], { cwd: dir });
  await waitFor(() => text("runs") === "10.1.1.1:1\n", { what: "the first start" });
  await client.register("e-end", instanceAt("10.1.1.2:1"), { held: true });
  await client.deregister("e-end", instanceAt("10.1.1.1:1").id);
  await waitFor(() => text("runs").includes("term"), { what: "it to be asked to stop" });
  running.child.kill("SIGTERM");
  writeFileSync(join(dir, "stop"), "");
  expect((await running.end()).code).toBe(143);
  expect(text("runs")).toBe("10.1.1.1:1\nterm\n");
}, 30_000);

test.each([[["expose", "-d", "DB:r-db"]], [["configure", "-f", "t:conf"]]])(
  "%j: a daemon that refuses while the command runs ends it too, with the reason",
  async (flags) => {
    writeFileSync(join(dir, "t"), '{{range (.ServiceSet "r-db").Addrs}}{{.}}{{end}}');
    const at = { hostname: "127.0.0.1", port: await freePort() };
    const first = await startDaemon({ listen: at });
    await first.client.addService("r-db");
    await first.client.register("r-db", instanceAt("10.1.1.1:1"));
    const script = `echo $$ > pid; while :; do sleep 0.05; done`;
    const running = startVerb(first.url, [...flags, "sh", "-c", script], { cwd: dir });
    await waitFor(() => text("pid") !== "", { what: "the start" });
    await first.stop();
    const second = await startDaemon({ listen: at, token: "a-secret-token" });
    expect(await running.end()).toMatchObject({ code: 1, stderr: expect.stringContaining("A bearer token is needed") });
    expect(isAlive(text("pid").trim())).toBe(false);
    await second.stop();
  },
  30_000,
);

describe("configure", () => {
  const template = `{{.Env.GREETING}}
{{with (.ServiceSet "c-web").Leader}}leader {{.Addr}}
{{end}}{{range (.ServiceSet "c-web").Services}}server {{.Host}} {{.Port}} v{{.Attrs.v}};
{{end}}`;

  test("waits for an instance, writes, starts; on a change it writes and starts again", async () => {
    const { client } = daemon;
    writeFileSync(join(dir, "t"), template);
    process.env.GREETING = "hello";
    const script = `echo "start $(grep -c server conf)" >> runs; trap 'exit 0' TERM; while [ ! -e stop ]; do sleep 0.05; done; exit 4`;
    const running = startVerb(daemon.url, ["configure", "-f", "t:conf", "sh", "-c", script], { cwd: dir });
    await client.addService("c-web");
    await waitFor(() => running.seen.stderr.includes("waiting for an instance"), { what: "it to wait" });
    expect(existsSync(join(dir, "conf"))).toBe(false);
    await client.register("c-web", instanceAt("10.2.0.1:80", { v: "1" }), { held: true });
    await waitFor(() => text("runs") === "start 1\n", { what: "the first start" });
    expect(text("conf")).toBe("hello\nleader 10.2.0.1:80\nserver 10.2.0.1 80 v1;\n");
    await client.register("c-web", instanceAt("10.2.0.2:80", { v: "2" }), { held: true });
    await waitFor(() => text("runs") === "start 1\nstart 2\n", { what: "the second start" });
    expect(text("conf")).toEndWith("server 10.2.0.2 80 v2;\n");
    writeFileSync(join(dir, "stop"), "");
    expect((await running.end()).code).toBe(4);
  }, 30_000);

  test("-signal tells it instead; -once only writes; the template's faults and flags are named", async () => {
    const { client } = daemon;
    await client.addService("c-two");
    await client.register("c-two", instanceAt("10.2.1.1:80"), { held: true });
    writeFileSync(join(dir, "t"), `{{range (.ServiceSet "c-two").Addrs}}{{.}} {{end}}`);
    expect(await runVerb(daemon.url, ["configure", "-f", "t:once", "-once"], { cwd: dir })).toMatchObject({ code: 0 });
    expect(text("once")).toBe("10.2.1.1:80 ");
    const script = `echo start >> runs; trap 'echo "hup $(cat conf)" >> runs' HUP; while :; do sleep 0.05; done`;
    const running = startVerb(daemon.url, ["configure", "-f", "t:conf", "-signal", "hup", "--", "sh", "-c", script], {
      cwd: dir,
    });
    await waitFor(() => text("runs") === "start\n", { what: "the start" });
    await client.register("c-two", instanceAt("10.2.1.2:80"), { held: true });
    await waitFor(() => text("runs") === "start\nhup 10.2.1.1:80 10.2.1.2:80 \n", { what: "the signal" });
    running.child.kill("SIGTERM");
    expect((await running.end()).code).toBe(143);

    writeFileSync(join(dir, "bad"), "{{.Nope}}");
    const bad = await runVerb(daemon.url, ["configure", "-f", "bad:x", "-once"], { cwd: dir });
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining("Nope") });
    for (const flags of [
      ["-f", "t"],
      ["-f", "missing:x"],
      [],
      ["-f", "t:x", "-signal", "BANG", "true"],
      ["-f", "t:x"],
    ]) {
      expect(await runVerb(daemon.url, ["configure", ...flags], { cwd: dir })).toMatchObject({ code: 2 });
    }
  }, 60_000);
});
