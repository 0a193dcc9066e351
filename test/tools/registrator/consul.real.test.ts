import { afterAll, beforeAll, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { startRegistrator } from "../../../tools/registrator/index.ts";
import { openRegistry } from "../../../tools/registrator/registries/openRegistry.ts";
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
