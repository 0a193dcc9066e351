import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createDiscoveryClient } from "../../../../lib/discovery/client/createDiscoveryClient.ts";
import { collect, instanceAt } from "../../../lib/discovery/helpers.ts";
import { Daemon } from "../../../testbed/daemon.ts";
import { type Etcd, startEtcd } from "../../../testbed/etcd.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { scratchDir } from "../../../testbed/scratch.ts";
import { waitFor } from "../../../testbed/waitFor.ts";

const tool = join(import.meta.dir, "../../../../tools/discoverd.ts");
let etcd: Etcd;
const undo: (() => unknown)[] = [];
beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);
afterAll(async () => {
  for (const step of undo.reverse()) await step();
  await etcd?.stop();
}, 30_000);

async function serve(dir: string) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const store = `etcd://${new URL(etcd.url).host}`;
  const daemon = await Daemon.start({
    name: `discoverd ${port}`,
    argv: [process.execPath, tool, "serve", "--listen", `127.0.0.1:${port}`, "--store", store],
    logFile: join(dir, `${port}.log`),
    ready: async () => (await fetch(`${url}/readyz`)).ok,
  });
  const client = createDiscoveryClient({ url });
  undo.push(() => client.close(), () => daemon.stop()); // biome-ignore format: one line
  return { daemon, url, client };
}

test("kill -9 of the daemon that runs the checks: nobody goes down, and another runs them within its lease's time", async () => {
  const dir = scratchDir();
  const [owner, other] = [await serve(dir), await serve(dir)];
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  const servers = ports.map((port) => Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }));
  undo.push(() => {
    for (const server of servers) server.stop(true);
  });
  await owner.client.addService("web");
  for (const port of ports) {
    await owner.client.setChecks("web", instanceAt(`127.0.0.1:${port}`), [
      { type: "tcp", interval_ms: 200, flap_limit: 0 },
    ]);
  }
  const up = async () => (await other.client.instances("web", { states: ["up"] })) ?? [];
  await waitFor(async () => (await up()).length === 20, { what: "all to be up" });
  const before = await up();
  const stop = new AbortController();
  const seen = collect(other.client.watch("web", { signal: stop.signal }));
  await waitFor(() => seen.short().includes("current"), { what: "the watch" });
  const already = seen.events.length;

  await owner.daemon.kill();
  const results = async (port: number) => {
    const { id } = instanceAt(`127.0.0.1:${port}`);
    return (await (await fetch(`${other.url}/services/web/instances/${id}/checks`)).json()) as { results?: object[] };
  };
  await waitFor(async () => (await Promise.all(ports.map(results))).every((each) => each.results !== undefined), {
    what: "the other to run all checks",
    deadlineMs: 25_000, // a lease of 10 s, and etcd's slack
  });
  expect(await up()).toEqual(before);
  expect(seen.events.slice(already)).toEqual([]);
  servers[0]?.stop(true);
  await waitFor(async () => (await up()).length === 19, { what: "the check to see who is gone" });
  stop.abort();
}, 90_000);
