import { afterEach, beforeEach, expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import type { Api } from "../../../../lib/http/index.ts";
import { createRegistratorApi } from "../../../../tools/registrator/api/createRegistratorApi.ts";
import { type RegistratorMetrics, registratorMetrics } from "../../../../tools/registrator/api/registratorMetrics.ts";
import { type Registrator, startRegistrator } from "../../../../tools/registrator/index.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { container, FakeRegistry, FakeWatcher } from "../fakes.ts";

let watcher: FakeWatcher;
let registry: FakeRegistry;
let registrator: Registrator;
let metrics: RegistratorMetrics;
let api: Api;

beforeEach(() => {
  watcher = new FakeWatcher();
  registry = new FakeRegistry();
  metrics = registratorMetrics();
  registrator = startRegistrator({
    containers: watcher,
    registries: [registry],
    options: { internal: true, hostname: "host" },
    log: silentLogger,
    reconciler: { retryFirstMs: 5, retryCapMs: 20 },
  });
  metrics.follow(registrator);
  api = createRegistratorApi(registrator, { version: "1.2.3", metrics: metrics.metrics });
});
afterEach(() => registrator.close());

const web = (n: number, changes: Parameters<typeof container>[0] = {}) =>
  container({ id: `${n}`.repeat(64), name: `web-${n}`, ip: `172.17.0.${n}`, ...changes });
const get = (path: string, headers: Record<string, string> = {}) =>
  api.request(`http://127.0.0.1${path}`, { headers: { host: "127.0.0.1", ...headers } });
const json = async (path: string) => (await get(path)).json();

test("ready when Docker is reached and the registry was read; before, it says what is missing", async () => {
  expect((await get("/healthz")).status).toBe(200);
  const early = await get("/readyz");
  expect(early.status).toBe(503);
  expect(await early.json()).toMatchObject({ message: "Docker: Docker was not reached yet", retry: true });
  registry.fail = (call) => (call === "list" ? new Error("no leader") : undefined);
  watcher.set([web(1)]);
  await waitFor(async () => (await json("/readyz")).message === "fake: no leader", { what: "the registry's reason" });
  registry.fail = () => undefined;
  await waitFor(async () => (await get("/readyz")).status === 200, { what: "it to be ready" });
});

test("status counts, services lists by page and filter", async () => {
  watcher.set([web(1), web(2), web(3, { env: ["SERVICE_NAME=refused"] })]);
  expect(await registrator.settled(2000)).toBe(true);
  expect(await json("/status")).toMatchObject({
    version: "1.2.3",
    connected: true,
    owner: "engine-1@host-1",
    containers: 3,
    services: { registered: 2, pending: 0, failing: 0, refused: 1 },
    registries: [{ name: "fake", synced: true, registered: 2, writes: 2, failures: 0, retries: 0 }],
  });
  const first = await json("/services?limit=2");
  expect(first.items).toHaveLength(2);
  const rest = await json(`/services?limit=2&cursor=${first.next}`);
  expect(rest.next).toBeUndefined();
  expect([...first.items, ...rest.items].map((row) => row.container).sort()).toEqual(["web-1", "web-2", "web-3"]);
  expect(await json("/services?state=refused")).toMatchObject({
    items: [{ container: "web-3", state: "refused", reason: "no such names here", id: "host:web-3:80" }],
  });
  expect((await json(`/services?container=${"2".repeat(12)}`)).items).toHaveLength(1);
  expect((await get("/services?limit=0")).status).toBe(400);
  expect((await get("/services?state=odd")).status).toBe(400);
});

test("explain tells the services with their states, and the ports left out; 404 for who does not run", async () => {
  watcher.set([web(1, { exposedPorts: ["80/tcp", "90/tcp"], env: ["SERVICE_90_IGNORE=1"] })]);
  expect(await registrator.settled(2000)).toBe(true);
  const expected = {
    id: "1".repeat(64),
    name: "web-1",
    registries: [
      {
        registry: "fake",
        services: [{ ID: "host:web-1:80", IP: "172.17.0.1", Port: 80, Tags: [], State: "registered" }],
        ignored: [{ port: "90/tcp" }],
      },
    ],
  };
  for (const name of ["web-1", "1".repeat(64), "111"]) expect(await json(`/explain/${name}`)).toMatchObject(expected);
  expect((await get("/explain/web-2")).status).toBe(404);
});

test("plan tells what is left to be written, and why", async () => {
  expect(await json("/plan")).toEqual([{ registry: "fake", synced: false, steps: [] }]);
  registry.fail = (call) => (call === "register" ? new Error("disk full") : undefined);
  watcher.set([web(1)]);
  const failing = await waitFor(
    async () => {
      const [plan] = await json("/plan");
      return plan.steps[0]?.reason && plan;
    },
    { what: "a failed write" },
  );
  expect(failing).toMatchObject({
    synced: true,
    steps: [{ action: "register", container: "web-1", address: "172.17.0.1:80", reason: "disk full" }],
  });
  const writes = registry.writes;
  await json("/plan");
  expect(registry.writes - writes).toBeLessThanOrEqual(1); // the daemon's own tries go on
  registry.fail = () => undefined;
  await waitFor(async () => (await json("/plan"))[0].steps.length === 0, { what: "nothing to be left" });
});

test("events have ids and go on after one; after an unknown one a gap is told of", async () => {
  watcher.set([web(1)]);
  await registrator.settled(2000);
  const id = await firstId("0-0"); // of another run: a gap, whose id is the newest
  watcher.set([web(1), web(2)]);
  await registrator.settled(2000);
  const text = await read(await get("/events", { "last-event-id": id }), "web-2");
  expect(text).toContain("event: registered");
  expect(text).not.toContain("web-1");
  expect(text).not.toContain("event: gap");
});

async function firstId(since: string): Promise<string> {
  const text = await read(await get(`/events?since=${since}`), "\n\n", "event: gap");
  expect(text).toContain("event: gap");
  return /^id: (.+)$/m.exec(text)?.[1] ?? "";
}

/** Reads until all of `wanted` were seen, then leaves. */
async function read(response: Response, ...wanted: string[]): Promise<string> {
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const reader = response.body?.getReader();
  let text = "";
  while (reader && !wanted.every((each) => text.includes(each))) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  await reader?.cancel();
  return text;
}

test("metrics: events, lag from Docker's event, writes, failures and tries by registry, services by state", async () => {
  metrics.sawEvent("start");
  let failed = false;
  registry.fail = (call) => {
    if (call !== "register" || failed) return undefined;
    failed = true;
    return new Error("once");
  };
  watcher.set([web(1)], { changed: new Set(["1".repeat(64)]), eventAt: Date.now() - 30 });
  await waitFor(() => registry.entries.size === 1, { what: "the entry" });
  await registrator.settled(2000);
  const text = await waitFor(
    async () => {
      const now = await (await get("/metrics")).text();
      return now.includes("registrator_lag_seconds_count{") && now;
    },
    { what: "the lag" },
  );
  for (const line of [
    'registrator_docker_events_total{action="start"} 1',
    'registrator_lag_seconds_count{registry="fake",kind="registered"} 1',
    'registrator_lag_seconds_bucket{le="0.02",registry="fake",kind="registered"} 0',
    'registrator_services{registry="fake",state="registered"} 1',
    'registrator_containers{state="running"} 1',
    'registrator_registry_writes_total{registry="fake"} 1',
    'registrator_registry_failures_total{registry="fake"} 1',
    'registrator_registry_retries_total{registry="fake"} 1',
    "registrator_docker_connected 1",
  ])
    expect(text).toContain(line);
});

test("the document names every path", async () => {
  const { paths } = await json("/openapi.json");
  for (const path of ["/status", "/services", "/explain/{container}", "/plan", "/events", "/metrics", "/readyz"])
    expect(paths).toHaveProperty([path]);
});
