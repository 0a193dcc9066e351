import { afterEach, expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import { createDiscoveryClient } from "../../../../lib/discovery/client/createDiscoveryClient.ts";
import type { DiscoveryClient } from "../../../../lib/discovery/client/discoveryClient.ts";
import { openStore } from "../../../../lib/store/openStore.ts";
import type { Store } from "../../../../lib/store/store.ts";
import { type Discoverd, startDiscoverd } from "../../../../tools/discoverd/startDiscoverd.ts";
import { instanceAt } from "../../../lib/discovery/helpers.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { waitFor } from "../../../testbed/waitFor.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function daemonOn(
  store: Store,
  options: { scriptChecks?: boolean } = {},
): Promise<Discoverd & { client: DiscoveryClient }> {
  const engine = { ttlMs: 1000, leaseTtlMs: 1000, checkMs: 50 };
  const listen = { hostname: "127.0.0.1", port: 0 };
  const daemon = await startDiscoverd({ store, listen, engine, log: silentLogger, ...options });
  const client = createDiscoveryClient({ url: daemon.url });
  undo.push(() => client.close(), () => daemon.close()); // biome-ignore format: one line
  return { ...daemon, client };
}
async function memory(): Promise<Store> {
  const store = await openStore("memory:", { log: silentLogger });
  undo.push(() => store.close());
  return store;
}
function listen(port: number) {
  const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  undo.push(() => server.stop(true));
  return server;
}
const shown = async (client: DiscoveryClient, service: string) => (await client.instances(service))?.[0];
const quick = { interval_ms: 50, start_interval_ms: 20, flap_limit: 0 } as const;

test("registered by a check alone: down until it passes, then up and down with it, without a heartbeat; gone when deregistered", async () => {
  const { client, url } = await daemonOn(await memory());
  const port = await freePort();
  const instance = instanceAt(`127.0.0.1:${port}`);
  await client.addService("web");
  await client.setChecks("web", instance, [{ type: "tcp", ...quick }]);
  expect(await shown(client, "web")).toMatchObject({
    addr: instance.addr,
    state: "down",
    reason: "tcp: not passed yet",
  });
  await waitFor(async () => (await shown(client, "web"))?.reason?.includes("ECONNREFUSED"), {
    what: "the reason to say why",
  });
  expect(await client.leader("web")).toBeUndefined();
  const server = listen(port);
  await waitFor(async () => (await shown(client, "web"))?.state === undefined, { what: "up" });
  expect((await client.leader("web"))?.instance.addr).toBe(instance.addr);
  // Longer than any TTL here: nobody sends heartbeats, and it stays.
  const until = performance.now() + 2500;
  await waitFor(async () => {
    expect((await shown(client, "web"))?.state).toBeUndefined();
    return performance.now() > until;
  }, { what: "the time to pass" }); // biome-ignore format: as it is
  server.stop(true);
  await waitFor(async () => (await shown(client, "web"))?.state === "down", { what: "down" });
  const history = (await client.history("web")).map(({ why }) => why);
  expect(history).toContain("check failed");
  expect(history).toContain("check passed");
  const answer = await (await fetch(`${url}/services/web/instances/${instance.id}/checks`)).json();
  expect(answer).toMatchObject({ checks: [{ type: "tcp" }], results: [{ name: "tcp", status: "down" }] });
  await client.deregister("web", instance.id);
  await waitFor(async () => !(await fetch(`${url}/services/web/instances/${instance.id}/checks`)).ok, {
    what: "its checks to be forgotten",
  });
  expect(await client.instances("web")).toEqual([]);
}, 30_000);

test("another daemon takes over when the owner dies: the instance stays as it is, and its checks go on", async () => {
  const store = await memory();
  const first = await daemonOn(store);
  const second = await daemonOn(store);
  const port = await freePort();
  const server = listen(port);
  const instance = instanceAt(`127.0.0.1:${port}`);
  await first.client.addService("web");
  await first.client.setChecks("web", instance, [{ type: "tcp", ...quick }]);
  await waitFor(async () => (await shown(second.client, "web"))?.state === undefined, { what: "up at the other too" });
  const { index } = (await shown(second.client, "web")) ?? {};
  const stop = new AbortController();
  const kinds: string[] = [];
  const watching = (async () => {
    for await (const event of second.client.watch("web", { signal: stop.signal, kinds: ["up", "down", "update"] }))
      kinds.push(event.kind);
  })();
  await first.close();
  const checksUrl = `${second.url}/services/web/instances/${instance.id}/checks`;
  await waitFor(async () => "results" in ((await (await fetch(checksUrl)).json()) as object), {
    what: "the take-over",
  });
  expect(await shown(second.client, "web")).toMatchObject({ index });
  expect((await shown(second.client, "web"))?.state).toBeUndefined();
  expect(kinds.filter((kind) => kind !== "current")).toEqual(["up"]);
  server.stop(true);
  await waitFor(async () => (await shown(second.client, "web"))?.state === "down", {
    what: "down by the second's checks",
  });
  stop.abort();
  await watching;
}, 30_000);

test("ttl: reports to any daemon; silence is down", async () => {
  const store = await memory();
  const [first, second] = [await daemonOn(store), await daemonOn(store)];
  const instance = instanceAt("10.0.0.1:80");
  await first.client.addService("job");
  await first.client.setChecks("job", instance, [{ type: "ttl", name: "beat", ttl_ms: 1000, flap_limit: 0 }]);
  await first.client.reportCheck("job", instance.id, "beat", { outcome: "pass", output: "fine" });
  await waitFor(async () => (await shown(second.client, "job"))?.state === undefined, { what: "up" });
  await waitFor(async () => (await fetch(`${second.url}/services/job/instances/${instance.id}/checks`)).ok, {
    what: "the second to know",
  });
  await second.client.reportCheck("job", instance.id, "beat", { outcome: "warn", output: "disk is filling" });
  await waitFor(async () => (await shown(first.client, "job"))?.state === "warning", { what: "a warning" });
  expect((await shown(first.client, "job"))?.reason).toBe("beat: disk is filling");
  await waitFor(async () => (await shown(first.client, "job"))?.state === "down", { what: "down" });
  expect((await shown(first.client, "job"))?.reason).toBe("beat: no report for 1000 ms");
  expect(first.client.reportCheck("job", instance.id, "other", { outcome: "pass", output: "" })).rejects.toThrow(
    'no check "other"',
  );
}, 30_000);

test("checks of one that sends heartbeats: its state is theirs, its life is its own; maintenance goes before", async () => {
  const { client } = await daemonOn(await memory());
  const port = await freePort();
  const server = listen(port);
  const instance = instanceAt(`127.0.0.1:${port}`);
  await client.addService("web");
  await client.register("web", instance, { held: true });
  await client.setChecks("web", instance, [{ type: "tcp", ...quick }]);
  server.stop(true);
  await waitFor(async () => (await shown(client, "web"))?.state === "down", { what: "down" });
  await client.setState("web", instance.id, { state: "maintenance", reason: "hands off" });
  expect(await shown(client, "web")).toMatchObject({ state: "maintenance", reason: "hands off" });
  await client.setState("web", instance.id, { state: "up" });
  expect((await shown(client, "web"))?.state).toBe("down");
  await client.setChecks("web", instance, []);
  await waitFor(async () => (await shown(client, "web"))?.state === undefined, { what: "up again, unchecked" });
  await client.deregister("web", instance.id);
  expect(await client.instances("web")).toEqual([]);
}, 30_000);

test("what is refused", async () => {
  const { client, url } = await daemonOn(await memory());
  const instance = instanceAt("10.0.0.1:80");
  expect(client.setChecks("none", instance, [{ type: "tcp" }])).rejects.toThrow('service "none" not found');
  await client.addService("web");
  const script = [{ type: "command", command: ["true"] }] as const;
  expect(client.setChecks("web", instance, script)).rejects.toThrow("--script-checks");
  const put = async (body: unknown, id = instance.id) => {
    const answer = await fetch(`${url}/services/web/instances/${id}/checks`, {
      method: "PUT",
      body: JSON.stringify(body),
    });
    return { status: answer.status, text: await answer.text() };
  };
  expect(await put({ checks: [{ type: "tcp" }] })).toMatchObject({ status: 404 });
  expect(await put({ checks: [{ type: "tcp", colour: 1 }], instance })).toMatchObject({
    status: 400,
    text: expect.stringContaining("colour"),
  });
  expect(await put({ checks: [], wrong: 1 })).toMatchObject({ status: 400, text: expect.stringContaining("wrong") });
  expect(await put({ checks: [{ type: "tcp" }], instance }, "f".repeat(32))).toMatchObject({ status: 400 });
  expect(await put({ checks: [{ type: "tcp" }], instance: { ...instance, addr: "nope" } })).toMatchObject({
    status: 400,
  });
  expect(await client.instances("web")).toEqual([]);
});

test("a command check says how the instance is", async () => {
  const { client } = await daemonOn(await memory(), { scriptChecks: true });
  const instance = instanceAt("10.0.0.1:80");
  await client.addService("web");
  await client.setChecks("web", instance, [
    { type: "command", command: ["sh", "-c", "echo low on disk; exit 1"], ...quick },
  ]);
  await waitFor(async () => (await shown(client, "web"))?.state === "warning", { what: "a warning" });
  expect((await shown(client, "web"))?.reason).toBe("command: low on disk");
});
