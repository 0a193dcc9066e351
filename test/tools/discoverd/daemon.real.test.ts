import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { createDiscoveryClient } from "../../../lib/discovery/client/createDiscoveryClient.ts";
import { collect, instanceAt } from "../../lib/discovery/helpers.ts";
import { Daemon } from "../../testbed/daemon.ts";
import { startEtcd } from "../../testbed/etcd.ts";
import { freePort } from "../../testbed/freePort.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const root = join(import.meta.dir, "../../..");
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0)) await step();
}, 20_000);

/** `discoverd serve` in a process of its own. */
async function serve(store: string, port: number, dir: string): Promise<Daemon> {
  const url = `http://127.0.0.1:${port}`;
  const daemon = await Daemon.start({
    name: `discoverd ${port}`,
    argv: [
      process.execPath,
      join(root, "tools/discoverd.ts"),
      "serve",
      "--listen",
      `127.0.0.1:${port}`,
      "--store",
      store,
    ],
    logFile: join(dir, `discoverd-${port}.log`),
    ready: async () => (await fetch(`${url}/readyz`)).ok,
  });
  undo.push(() => daemon.stop());
  return daemon;
}

test("sqlite: after kill -9 and a restart the instances are there with their index, and no watcher heard of a down", async () => {
  const dir = scratchDir();
  const store = `sqlite:${join(dir, "state.db")}`;
  const port = await freePort();
  const daemon = await serve(store, port, dir);
  const client = createDiscoveryClient({ url: `127.0.0.1:${port}` });
  undo.unshift(() => client.close());
  await client.addService("web");
  for (let i = 1; i <= 5; i++) await client.register("web", instanceAt(`10.0.0.${i}:80`), { held: true });
  const before = await client.instances("web");
  const stop = new AbortController();
  const seen = collect(client.watch("web", { signal: stop.signal }));
  await waitFor(() => seen.short().includes("current"), { what: "the watch to be current" });

  await daemon.kill();
  await daemon.start();
  expect(await client.instances("web")).toEqual(before ?? []);
  // Longer than lease and TTL: had the heartbeats not moved them under the new lease, they would go now.
  const until = performance.now() + 14_000;
  await waitFor(
    async () => {
      expect(await client.instances("web")).toEqual(before ?? []);
      return performance.now() > until;
    },
    { what: "the instances to stay", deadlineMs: 20_000, intervalMs: 200 },
  );
  stop.abort();
  expect(seen.short().filter((event) => event.startsWith("down"))).toEqual([]);
}, 60_000);

test("etcd: what was registered at a discoverd that dies vanishes from the other within TTL and slack", async () => {
  const dir = scratchDir();
  const etcd = await startEtcd();
  undo.push(() => etcd.stop());
  const store = etcd.url.replace("http", "etcd");
  const ports = [await freePort(), await freePort()] as const;
  const [dying] = await Promise.all(ports.map((port) => serve(store, port, dir)));
  const [first, second] = ports.map((port) => createDiscoveryClient({ url: `127.0.0.1:${port}` }));
  undo.unshift(() => Promise.all([first?.close(), second?.close()]));
  await first?.addService("web");
  await first?.register("web", instanceAt("10.0.0.1:80"));
  await waitFor(async () => (await second?.instances("web"))?.length === 1, { what: "the other to see it" });
  await dying?.kill();
  const start = performance.now();
  await waitFor(async () => (await second?.instances("web"))?.length === 0, {
    what: "it to vanish",
    deadlineMs: 20_000,
  });
  expect(performance.now() - start).toBeLessThan(14_000);
  const peers = await fetch(`http://127.0.0.1:${ports[1]}/raft/peers`);
  expect(await peers.json()).toEqual([`127.0.0.1:${ports[1]}`]);
}, 90_000);

test("SIGTERM ends streams and the process with 0; a port in use and a wrong store are told in one line", async () => {
  const dir = scratchDir();
  const port = await freePort();
  const serving = [process.execPath, join(root, "tools/discoverd.ts"), "serve", "--listen", `127.0.0.1:${port}`];
  const daemon = Bun.spawn([...serving, "--store", "memory:"], { stderr: "ignore", cwd: dir });
  undo.push(() => daemon.kill(9));
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await waitFor(ready, { what: "discoverd to be ready" });
  const stream = await fetch(`http://127.0.0.1:${port}/services/web`);
  const run = (...words: string[]) =>
    Bun.spawnSync([process.execPath, join(root, "tools/discoverd.ts"), "serve", ...words], {
      stderr: "pipe",
      cwd: dir,
    });
  const inUse = run("--listen", `127.0.0.1:${port}`, "--store", "memory:");
  expect([inUse.exitCode, inUse.stderr.toString()]).toEqual([1, expect.stringContaining("is in use")]);
  const wrong = run("--listen", "127.0.0.1:0", "--store", "redis://h");
  expect([wrong.exitCode, wrong.stderr.toString()]).toEqual([2, expect.stringContaining('unknown scheme "redis:"')]);
  const open = run("--listen", "0.0.0.0:0", "--store", "memory:");
  expect([open.exitCode, open.stderr.toString()]).toEqual([2, expect.stringContaining("--token-file")]);
  daemon.kill("SIGTERM");
  expect(await stream.text()).toContain('"kind":"current"');
  expect(await daemon.exited).toBe(0);
}, 60_000);
