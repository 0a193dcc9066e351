import { afterAll, beforeAll, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { startRegistrator } from "../../../tools/registrator/index.ts";
import { openRegistry } from "../../../tools/registrator/registries/openRegistry.ts";
import type { Registry } from "../../../tools/registrator/registries/registry.ts";
import { type Consul, startConsul } from "../../testbed/consul.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { container, FakeWatcher, network } from "./fakes.ts";

let consul: Consul;
beforeAll(async () => {
  consul = await startConsul();
}, 600_000);
afterAll(() => consul?.stop(), 30_000);

type Services = Record<
  string,
  { Service: string; Tags: string[]; Meta: Record<string, string>; Port: number; Address: string }
>;
const get = async <T>(path: string) =>
  (await (await fetch(`${consul.url}${path}`, { signal: AbortSignal.timeout(5000) })).json()) as T;
const ids = async () => Object.keys(await get<Services>("/v1/agent/services")).sort();

function web(n: number, env: string[] = []) {
  return container({
    id: String(n).padStart(64, "0"),
    name: `web-${n}`,
    env: ["SERVICE_NAME=web", ...env],
    networks: [network("bridge", `172.17.0.${n}`)],
  });
}

test("a real agent: registered with checks, others untouched, an entry taken out by hand, the agent killed in the middle", async () => {
  await fetch(`${consul.url}/v1/agent/service/register`, {
    method: "PUT",
    body: JSON.stringify({ ID: "mine", Name: "web" }),
  });
  const opened = await openRegistry(consul.url.replace("http://", "consul://"), {
    ttl: 0,
    ttlRefresh: 0,
    log: silentLogger,
  });
  await opened.ping();
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "host" },
    log: silentLogger,
  });
  try {
    watcher.set([
      web(2, ["SERVICE_TAGS=a,b", "SERVICE_CHECK_TCP=1", "SERVICE_REGION=eu"]),
      web(3, ["SERVICE_CHECK_INTERVAL=x", "SERVICE_CHECK_TCP=1"]),
    ]);
    await waitFor(async () => (await ids()).includes("host:web-2:80"), { what: "web-2" });
    const services = await get<Services>("/v1/agent/services");
    expect(services["host:web-2:80"]).toMatchObject({
      Service: "web",
      Tags: ["a", "b"],
      Port: 80,
      Address: "172.17.0.2",
      Meta: { region: "eu" },
    });
    expect(await get<object>("/v1/agent/checks")).toMatchObject({
      "service:host:web-2:80": { ServiceName: "web", Type: "tcp" },
    });

    // Consul refuses a check every "x": that container is told, the other is not held up.
    await waitFor(() => registrator.status().containers[1]?.services[0]?.state === "refused", {
      what: "web-3 to be refused",
    });
    expect(await ids()).toEqual(["host:web-2:80", "mine"]);

    watcher.set([web(2), web(4)]);
    await waitFor(async () => Bun.deepEquals(await ids(), ["host:web-2:80", "host:web-4:80", "mine"]), {
      what: "web-4",
    });
    await waitFor(async () => Object.keys(await get<object>("/v1/agent/checks")).length === 0, {
      what: "the check that is no longer asked for to go",
    });

    await fetch(`${consul.url}/v1/agent/service/deregister/host:web-4:80`, { method: "PUT" });
    await waitFor(async () => (await ids()).includes("host:web-4:80"), {
      what: "what somebody took out to be back",
      deadlineMs: 15_000,
    });

    await consul.servers[0]?.daemon.kill();
    watcher.set([web(5)]);
    await consul.servers[0]?.daemon.start();
    await waitFor(async () => Bun.deepEquals(await ids(), ["host:web-5:80", "mine"]), {
      what: "the agent to catch up",
      deadlineMs: 30_000,
    });
    await registrator.close("deregister");
    expect(await ids()).toEqual(["mine"]);
  } finally {
    await registrator.close();
    await opened.close();
  }
}, 120_000);

test("Docker's health, pause and stop show in the agent, with many checks, weights, addresses and a sidecar; nothing is written twice", async () => {
  const opened = await openRegistry(consul.url.replace("http://", "consul://"), {
    ttl: 0,
    ttlRefresh: 0,
    log: silentLogger,
  });
  const watcher = new FakeWatcher();
  let writes = 0;
  const counted: Registry = {
    ...opened.registry,
    register(entry, signal) {
      writes++;
      return opened.registry.register(entry, signal);
    },
  };
  const registrator = startRegistrator({
    containers: watcher,
    registries: [counted],
    options: { internal: true, hostname: "host", resyncMs: 300 },
    log: silentLogger,
  });
  const state = container().state;
  const withHealth = (health: typeof state.health, healthOutput: string, changes = {}) =>
    container({
      ...web(2, [
        "SERVICE_CHECK_1_TCP=1",
        "SERVICE_CHECK_2_TTL=1h",
        "SERVICE_CHECK_3_SCRIPT=true",
        "SERVICE_WEIGHT_PASSING=7",
        "SERVICE_CONNECT_SIDECAR=true",
        "SERVICE_A.B=x",
      ]),
      networks: [network("bridge", "172.17.0.2", "fd00::2")],
      state: { ...state, health, healthOutput },
      ...changes,
    });
  type Check = { Status: string; Output: string; Notes: string };
  const check = async (id: string) => (await get<Record<string, Check>>("/v1/agent/checks"))[id];
  const health = "registrator-health:host:web-2:80";
  try {
    // This agent runs no scripts: that check is refused with the whole service.
    watcher.set([withHealth("healthy", "fine")]);
    const said = () => JSON.stringify(registrator.status().containers[0]?.services[0]);
    await waitFor(() => said()?.includes("Scripts are disabled"), { what: "the agent's reason" });
    const ill = (text: string) => {
      const { env, ...rest } = withHealth("unhealthy", text);
      return { ...rest, env: env.filter((pair) => !pair.includes("SCRIPT")) };
    };
    watcher.set([ill("connection refused")]);
    await waitFor(async () => (await check(health))?.Output === "connection refused", { what: "what Docker said" });
    expect(await check(health)).toMatchObject({ Status: "critical" });
    type Full = { Weights: object; TaggedAddresses: object; Meta: object };
    expect((await get<Record<string, Full>>("/v1/agent/services"))["host:web-2:80"]).toMatchObject({
      Weights: { Passing: 7, Warning: 1 },
      TaggedAddresses: { lan_ipv6: { Address: "fd00::2", Port: 80 } },
      Meta: { a_b: "x" },
    });
    expect(await ids()).toContain("host:web-2:80-sidecar-proxy");
    expect(await check("service:host:web-2:80:1")).toBeDefined();
    expect(await check("service:host:web-2:80:2")).toBeDefined();

    const fine = { ...ill(""), state: { ...state, health: "healthy", healthOutput: "ok" } as const };
    watcher.set([fine]);
    await waitFor(async () => (await check(health))?.Status === "passing", { what: "its recovery" });
    watcher.set([{ ...fine, state: { ...fine.state, status: "paused", paused: true } }]);
    const maintenance = "_service_maintenance:host:web-2:80";
    await waitFor(async () => (await check(maintenance))?.Notes === "registrator: it is paused", { what: "the pause" });
    expect(await check(health)).toMatchObject({ Status: "passing" });
    watcher.set([{ ...fine, stopping: { signal: 15, at: 1 } }]);
    await waitFor(() => registrator.settled(5000), { what: "the stop" });
    watcher.set([fine]);
    await waitFor(async () => (await check(maintenance)) === undefined, { what: "its end" });

    await registrator.settled(5000);
    const before = writes;
    await fetch(`${consul.url}/v1/agent/check/fail/${encodeURIComponent(health)}`, { method: "PUT" });
    await waitFor(async () => (await check(health))?.Status === "passing", {
      what: "what somebody changed to be back",
    });
    await registrator.settled(5000);
    // That is the only write in the resyncs since.
    expect(writes - before).toBe(1);
    expect(await ids()).toContain("host:web-2:80-sidecar-proxy");
    watcher.set([]);
    await waitFor(async () => !(await ids()).some((id) => id.startsWith("host:")), { what: "all to be gone" });
  } finally {
    await registrator.close();
    await opened.close();
  }
}, 60_000);

test("--compat: the original's own entries are kept, without a stamp, and go with their containers", async () => {
  const body = { ID: "host:web-6:80", Name: "web", Port: 80, Address: "172.17.0.6", Meta: { region: "eu" } };
  await fetch(`${consul.url}/v1/agent/service/register`, { method: "PUT", body: JSON.stringify(body) });
  const opened = await openRegistry(consul.url.replace("http://", "consul://"), {
    ttl: 0,
    ttlRefresh: 0,
    compat: true,
    log: silentLogger,
  });
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "host", compat: true, resyncMs: 100 },
    log: silentLogger,
  });
  const written: string[] = [];
  const end = new AbortController();
  const following = (async () => {
    for await (const { text } of registrator.events(end.signal)) written.push(text);
  })();
  try {
    watcher.set([web(6, ["SERVICE_REGION=eu"]), web(7, ["SERVICE_ID=own"])]);
    await waitFor(async () => (await ids()).includes("own"), { what: "web-7" });
    await registrator.settled(5000);
    expect((await get<Services>("/v1/agent/services")).own?.Meta).toEqual({});
    const until = Date.now() + 400;
    await waitFor(() => Date.now() > until, { what: "a few resyncs" });
    // What the original had written needed no write.
    expect(written).toEqual(["registered web-7 as web at 172.17.0.7:80"]);
    watcher.set([]);
    await waitFor(async () => !(await ids()).some((id) => id === "own" || id.startsWith("host:")), {
      what: "both to go",
    });
  } finally {
    end.abort();
    await registrator.close();
    await following;
    await opened.close();
  }
}, 60_000);
