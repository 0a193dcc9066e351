import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Discoverd } from "../../../../tools/discoverd/index.ts";
import { scratchDir } from "../../../testbed/scratch.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { ask, inMemory } from "./helper.ts";

let discoverd: Discoverd;
beforeAll(async () => {
  discoverd = await inMemory();
});
afterAll(() => discoverd.close());
beforeEach(async () => {
  for (const id of Object.keys((await call("GET /v1/agent/services")).json as object))
    await call(`PUT /v1/agent/service/deregister/${id}`);
});

const call = (what: string, body?: unknown) => ask(discoverd.url, what, body);
const register = (body: object) => call("PUT /v1/agent/service/register", body);
const passing = async (service: string) =>
  ((await call(`GET /v1/health/service/${service}?passing`)).json as { Service: { ID: string } }[]).map(
    (one) => one.Service.ID,
  );

describe("registering", () => {
  test("what is registered is discoverd's too, and the other way round", async () => {
    await register({
      ID: "w1",
      Name: "web",
      Tags: ["a"],
      Address: "10.0.0.1",
      Port: 80,
      Meta: { v: "1" },
      Weights: { Passing: 7 },
    });
    const [instance] = discoverd.discovery.instances("web") ?? [];
    expect(instance).toMatchObject({ addr: "10.0.0.1:80", proto: "tcp", weight: 7, meta: { v: "1" } });
    const addr = "10.0.0.2:81";
    const id = new Bun.CryptoHasher("md5").update(`tcp-${addr}`).digest("hex");
    await discoverd.discovery.register(
      "web",
      { id, addr, proto: "tcp", meta: { tags: "b,c\\,d", id: "own" } },
      { held: true },
    );
    const { json } = await call("GET /v1/catalog/service/web");
    expect(json).toMatchObject([
      { ServiceID: "w1", ServiceTags: ["a"], ServiceMeta: { v: "1" } },
      { ServiceID: "own", ServiceTags: ["b", "c,d"], Node: "10.0.0.2", ServiceAddress: "10.0.0.2", ServicePort: 81 },
    ]);
    expect((await call("GET /v1/catalog/services")).json).toEqual({ web: ["a", "b", "c,d"] });
    expect(Object.keys((await call("GET /v1/agent/services")).json as object)).toEqual(["w1"]);
    await discoverd.discovery.deregister("web", id);
  });

  test("the same ID at another address or under another name replaces; the same address under another ID takes it over", async () => {
    await register({ ID: "x", Name: "one", Address: "10.0.0.1", Port: 80 });
    await register({ ID: "x", Name: "two", Address: "10.0.0.1", Port: 81 });
    expect((await call("GET /v1/catalog/services")).json).toEqual({ two: [] });
    await register({ ID: "y", Name: "two", Address: "10.0.0.1", Port: 81 });
    expect(Object.keys((await call("GET /v1/agent/services")).json as object)).toEqual(["y"]);
    expect((await call("PUT /v1/agent/service/deregister/x")).status).toBe(200);
    expect((await call("GET /v1/catalog/services")).json).toEqual({ two: [] });
  });

  test.each<[string, unknown, number, string]>([
    ["register", {}, 400, "Missing service name"],
    ["register", "{bad", 400, "Request decode failed:"],
    ["register", "", 400, "Request decode failed: EOF"],
    [
      "register",
      { Name: "x", Port: 80, Check: { TTL: "q" } },
      400,
      'Request decode failed: time: invalid duration "q"',
    ],
    [
      "register",
      { Name: "x", Port: 80, Check: { TCP: "1:1" } },
      400,
      "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
    ],
    [
      "register",
      { Name: "x", Port: 80, Check: { ScriptArgs: ["id"], Interval: "1s" } },
      400,
      "Scripts are disabled on this agent",
    ],
    ["register", { Name: "x" }, 400, "Invalid port 0"],
    ["register", { Name: "x", Port: 80, Meta: { "a.b": "c" } }, 400, "Invalid Service Meta:"],
    [
      "deregister/zz",
      undefined,
      404,
      'Unknown service ID "zz". Ensure that the service ID is passed, not the service name.',
    ],
  ])("%s %p: %i %s", async (path, body, status, message) => {
    const answer = await call(`PUT /v1/agent/service/${path}`, body);
    expect([answer.status, answer.body]).toEqual([status, expect.stringContaining(message)]);
  });
});

describe("checks", () => {
  test("a TTL check: critical until it passes, critical again when nobody reports", async () => {
    await register({ ID: "t", Name: "ttl", Address: "10.0.0.3", Port: 80, Check: { TTL: "400ms" } });
    expect(await passing("ttl")).toEqual([]);
    expect(discoverd.discovery.instances("ttl")?.[0]).toMatchObject({ state: "down" });
    await call("PUT /v1/agent/check/pass/service:t?note=fine");
    expect(await passing("ttl")).toEqual(["t"]);
    expect(discoverd.discovery.instances("ttl")?.[0]?.state).toBeUndefined();
    await call("PUT /v1/agent/check/update/service:t", { Status: "warning", Output: "hm" });
    expect(discoverd.discovery.instances("ttl")?.[0]).toMatchObject({ state: "warning", reason: "service:t: hm" });
    await waitFor(async () => discoverd.discovery.instances("ttl")?.[0]?.state === "down", {
      what: "the TTL to run out",
    });
    expect((await call("GET /v1/health/checks/ttl")).json).toMatchObject([
      { CheckID: "service:t", Status: "critical", Output: expect.stringContaining("TTL expired") },
    ]);
    expect((await call("GET /v1/agent/health/service/id/t")).status).toBe(503);
  });

  test("a TCP check is run here; checks come and go; maintenance", async () => {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    await register({
      ID: "c",
      Name: "tcp",
      Address: "127.0.0.1",
      Port: server.port,
      Checks: [{ CheckID: "c1", TCP: `127.0.0.1:${server.port}`, Interval: "1s" }],
    });
    await waitFor(async () => (await passing("tcp")).length === 1, { what: "the check to pass" });
    await call("PUT /v1/agent/check/register", {
      ID: "c2",
      Name: "more",
      ServiceID: "c",
      TTL: "10s",
      Status: "warning",
    });
    expect(await passing("tcp")).toEqual([]);
    expect(Object.keys((await call("GET /v1/agent/checks")).json as object)).toEqual(["c1", "c2"]);
    await call("PUT /v1/agent/check/deregister/c2");
    expect(await passing("tcp")).toEqual(["c"]);
    await call("PUT /v1/agent/service/maintenance/c?enable=true&reason=moving");
    expect((await call("GET /v1/health/service/tcp")).json).toMatchObject([
      {
        Checks: [
          {},
          { CheckID: "_service_maintenance:c", Status: "critical", Notes: "moving" },
          { CheckID: "c1", Status: "passing" },
        ],
      },
    ]);
    await call("PUT /v1/agent/service/maintenance/c?enable=false");
    expect(await passing("tcp")).toEqual(["c"]);
    server.stop(true);
    await waitFor(async () => (await passing("tcp")).length === 0, { what: "the check to fail" });
  });

  test.each<[string, unknown, number, string]>([
    ["pass/zz", undefined, 404, 'Unknown check ID "zz". Ensure that the check ID is passed, not the check name.'],
    ["deregister/zz", undefined, 404, "Unknown check ID"],
    ["update/zz", { Status: "zz" }, 400, "Invalid check status: 'zz'"],
    ["register", { Name: "a", TTL: "1s", ServiceID: "nope" }, 404, 'ServiceID "nope" does not exist'],
    ["register", { TTL: "1s" }, 400, "Missing check name"],
  ])("%s %p: %i %s", async (path, body, status, message) => {
    const answer = await call(`PUT /v1/agent/check/${path}`, body);
    expect([answer.status, answer.body]).toEqual([status, expect.stringContaining(message)]);
  });
});

describe("blocking queries", () => {
  test("wake for their own service only; an absent one is waited for; wait ends", async () => {
    await register({ ID: "b", Name: "blocked", Address: "10.0.0.4", Port: 80 });
    const { index } = await call("GET /v1/health/service/blocked");
    const absent = await call("GET /v1/health/service/absent");
    let woken = 0;
    const waiting = call(`GET /v1/health/service/blocked?index=${index}&wait=10s`).finally(() => woken++);
    const coming = call(`GET /v1/health/service/absent?index=${absent.index}&wait=10s`).finally(() => woken++);
    const over = await call(`GET /v1/health/service/blocked?index=${index}&wait=100ms`);
    expect(over.index).toBe(index);
    await register({ ID: "o", Name: "other", Address: "10.0.0.5", Port: 80 });
    await call("GET /v1/health/service/other");
    expect(woken).toBe(0);
    await register({ ID: "b2", Name: "blocked", Address: "10.0.0.6", Port: 80 });
    const first = await waiting;
    expect(first.index).toBeGreaterThan(index);
    expect(first.json).toHaveLength(2);
    expect(woken).toBe(1);
    await register({ ID: "a", Name: "absent", Address: "10.0.0.7", Port: 80 });
    expect((await coming).json).toHaveLength(1);
  });

  test("indexes never go back, through registering, deregistering and coming again", async () => {
    const seen: number[] = [];
    const look = async () => seen.push((await call("GET /v1/health/service/again")).index);
    for (let i = 0; i < 3; i++) {
      await look();
      await register({ ID: "g", Name: "again", Address: "10.0.0.8", Port: 80 + i });
      await look();
      await call("PUT /v1/agent/service/deregister/g");
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen[0]).toBeGreaterThanOrEqual(1);
  });

  test.each([
    ["index=x", 400, "Invalid index"],
    ["index=1&wait=x", 400, "Invalid wait time"],
    ["dc=dc9", 500, "No path to datacenter"],
    ["filter=zz", 400, "Failed to create boolean expression evaluator"],
  ])("%s: %i %s", async (query, status, message) => {
    const answer = await call(`GET /v1/health/service/web?${query}`);
    expect([answer.status, answer.body]).toEqual([status, expect.stringContaining(message)]);
  });
});

test("paths and methods that are none", async () => {
  expect(await call("GET /v1/nothing")).toMatchObject({
    status: 404,
    body: "Invalid URL path: not a recognized HTTP API endpoint\n",
  });
  expect(await call("GET /v1/agent/check/pass/x")).toMatchObject({ status: 405, body: "method GET not allowed" });
  expect((await call("GET /v1/health/service/%E0%A4%A")).status).toBe(400);
});

test("a token comes as Consul's clients send it", async () => {
  const guarded = await inMemory({ token: "s3cret" });
  try {
    expect((await ask(guarded.url, "GET /v1/catalog/services")).status).toBe(401);
    expect((await ask(guarded.url, "GET /v1/catalog/services", undefined, { "X-Consul-Token": "wrong" })).status).toBe(
      401,
    );
    expect((await ask(guarded.url, "GET /v1/catalog/services", undefined, { "X-Consul-Token": "s3cret" })).status).toBe(
      200,
    );
  } finally {
    await guarded.close();
  }
});

test("after a restart the agent has its services and their checks again", async () => {
  const store = `sqlite:${join(scratchDir(), "d.db")}`;
  const first = await inMemory({ store, consulNode: "n1" });
  await ask(first.url, "PUT /v1/agent/service/register", {
    ID: "s",
    Name: "stays",
    Address: "10.0.0.9",
    Port: 80,
    Check: { TTL: "1m" },
  });
  await first.close();
  const second = await inMemory({ store, consulNode: "n1" });
  try {
    await waitFor(async () => (await ask(second.url, "GET /v1/agent/services")).body.includes('"s"'), {
      what: "the service to be taken up",
    });
    expect((await ask(second.url, "PUT /v1/agent/check/pass/service:s")).status).toBe(200);
    expect((await ask(second.url, "GET /v1/health/service/stays?passing")).json).toHaveLength(1);
  } finally {
    await second.close();
  }
});
