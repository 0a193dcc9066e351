import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { startRegistrator } from "../../../../tools/registrator/index.ts";
import { openRegistry } from "../../../../tools/registrator/registries/openRegistry.ts";
import { type Consul, startConsul } from "../../../testbed/consul.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { container, FakeWatcher, network } from "../fakes.ts";

let consul: Consul;
beforeAll(async () => {
  consul = await startConsul({ servers: 3 });
}, 600_000);
afterAll(() => consul?.stop(), 30_000);

function web(n: number) {
  return container({
    id: String(n).padStart(64, "0"),
    name: `web-${n}`,
    env: ["SERVICE_NAME=web"],
    networks: [network("bridge", `172.17.0.${n}`)],
  });
}

async function get<T>(path: string, server = 0): Promise<T> {
  const answer = await fetch(`${consul.servers[server]?.url}${path}`, { signal: AbortSignal.timeout(5000) });
  return (await answer.json()) as T;
}
const ids = async (server = 0) => Object.keys(await get<object>("/v1/agent/services", server)).sort();

async function start(server: number, owner?: string) {
  const url = consul.servers[server]?.url ?? "";
  const opened = await openRegistry(url.replace("http", "consul"), { ttl: 0, ttlRefresh: 0, log: silentLogger });
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "host", ...(owner ? { owner } : {}) },
    log: silentLogger,
  });
  return { watcher, registrator, opened };
}

test("three servers: each agent has its own; one of them killed changes nothing", async () => {
  const [one, two] = [await start(0, "one"), await start(1, "two")];
  one.watcher.set([web(2)]);
  two.watcher.set([web(3)]);
  expect(await one.registrator.settled(10_000)).toBe(true);
  expect(await two.registrator.settled(10_000)).toBe(true);
  const catalog = async (server: number) =>
    (await get<{ ServiceID: string }[]>("/v1/catalog/service/web", server)).map(({ ServiceID }) => ServiceID).sort();
  const both = ["host:web-2:80", "host:web-3:80"];
  await waitFor(async () => Bun.deepEquals(await catalog(2), both), {
    what: "both in the catalog",
    deadlineMs: 20_000,
  });

  await consul.servers[2]?.daemon.kill();
  one.watcher.set([web(2), web(4)]);
  await waitFor(async () => Bun.deepEquals(await ids(0), ["host:web-2:80", "host:web-4:80"]), { what: "web-4" });
  await consul.servers[2]?.daemon.start();
  expect(await ids(1)).toEqual(["host:web-3:80"]);
  for (const each of [one, two]) {
    await each.registrator.close("deregister");
    await each.opened.close();
  }
}, 90_000);

test("an agent that is wiped: all is there again, within 2 s of its return", async () => {
  const run = await start(0);
  run.watcher.set(Array.from({ length: 30 }, (_, i) => web(i + 2)));
  expect(await run.registrator.settled(10_000)).toBe(true);
  const daemon = consul.servers[0]?.daemon;
  if (!daemon) throw new Error("no server");
  await daemon.kill();
  // What the agent knows of its services lies beside the servers' state.
  const data = daemon.options.logFile.replace(/\.log$/, "");
  rmSync(`${data}/services`, { recursive: true });
  rmSync(`${data}/checks`, { recursive: true, force: true });
  daemon.launch();
  await daemon.untilReady();
  const back = Date.now();
  await waitFor(async () => (await ids()).length === 30, { what: "all of them" });
  expect(Date.now() - back).toBeLessThan(2000);
  await run.registrator.close("deregister");
  await run.opened.close();
}, 90_000);

test("--on-exit maintenance: hidden from who asks for healthy ones, back in use with the next start; an operator's maintenance stays", async () => {
  const first = await start(1);
  first.watcher.set([web(2), web(3)]);
  expect(await first.registrator.settled(10_000)).toBe(true);
  const off = async () =>
    Object.keys(await get<object>("/v1/agent/checks", 1))
      .filter((id) => id.startsWith("_service_maintenance:"))
      .sort();
  await fetch(`${consul.servers[1]?.url}/v1/agent/service/maintenance/host:web-3:80?enable=true&reason=mine`, {
    method: "PUT",
  });
  await first.registrator.close("maintenance");
  await first.opened.close();
  expect(await off()).toEqual(["_service_maintenance:host:web-2:80", "_service_maintenance:host:web-3:80"]);
  expect(await ids(1)).toEqual(["host:web-2:80", "host:web-3:80"]);
  // As the agent itself tells, whom its catalog follows: 503 is critical.
  const health = await fetch(`${consul.servers[1]?.url}/v1/agent/health/service/name/web`);
  expect(health.status).toBe(503);

  const second = await start(1);
  second.watcher.set([web(2), web(3)]);
  await waitFor(async () => Bun.deepEquals(await off(), ["_service_maintenance:host:web-3:80"]), {
    what: "ours to end",
  });
  await second.registrator.close("deregister");
  await second.opened.close();
}, 60_000);
