import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Discoverd } from "../../../../tools/discoverd/index.ts";
import { type Consul, startConsul } from "../../../testbed/consul.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { ask, inMemory } from "./helper.ts";

let consul: Consul;
let discoverd: Discoverd;
const registrations = [
  {
    ID: "web-1",
    Name: "web",
    Tags: ["a", "b"],
    Address: "10.0.0.1",
    Port: 80,
    Meta: { v: "1" },
    Check: { TTL: "10m" },
  },
  { ID: "web-2", Name: "web", Port: 81, Checks: [{ CheckID: "c2", Name: "alive", TTL: "10m", Status: "passing" }] },
  { ID: "db", Name: "db", Address: "fd00::1", Port: 5432, Weights: { Passing: 5, Warning: 1 } },
];

beforeAll(async () => {
  [consul, discoverd] = await Promise.all([startConsul(), inMemory({ consulNode: "n1" })]);
  for (const body of registrations) {
    for (const url of [consul.url, discoverd.url]) {
      expect((await ask(url, "PUT /v1/agent/service/register", body)).status).toBe(200);
    }
  }
  await waitFor(async () => (await ask(consul.url, "GET /v1/health/checks/web")).body.includes("c2"), {
    what: "Consul's catalog",
  });
}, 600_000);
afterAll(async () => {
  await discoverd?.close();
  await consul?.stop();
}, 30_000);

/** Ours and theirs, without the service that Consul is itself. */
async function both(what: string, body?: unknown) {
  const [ours, theirs] = await Promise.all([ask(discoverd.url, what, body), ask(consul.url, what, body)]);
  return { ours, theirs };
}

/** Types in place of values; entries of a list that look alike are one; what may be absent is left to `loose`. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((each) => JSON.stringify(shape(each))))].sort();
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  const pairs = Object.entries(value).map(([key, inner]) => [key, opaque.has(key) ? "any" : shape(inner)]);
  return Object.fromEntries(pairs.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

/** What is the cluster's own business: Consul puts its version into the node's Meta. */
const opaque = new Set(["NodeMeta", "DebugConfig", "Stats", "Coord", "Config", "Tags"]);

const withoutNodeMeta = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (key, inner) => (key === "Meta" && inner !== null && "consul-version" in inner ? {} : inner)),
  );

describe("the real Consul and ours, after the same registrations", () => {
  test.each([
    "catalog/service/web",
    "catalog/service/db",
    "catalog/service/none",
    "catalog/service/web?tag=a",
    "catalog/nodes",
    "catalog/datacenters",
    "catalog/node/none",
    "health/service/web",
    "health/service/web?passing",
    "health/service/db",
    "health/service/none",
    "health/checks/web",
    "health/node/n1",
    "agent/services",
    "agent/service/web-1",
    "agent/checks",
    "status/leader",
    "status/peers",
  ])("the same keys and types: %s", async (path) => {
    const { ours, theirs } = await both(`GET /v1/${path}`);
    expect(ours.status).toBe(theirs.status);
    expect(ours.index > 0).toBe(theirs.index > 0);
    expect(shape(withoutNodeMeta(ours.json))).toEqual(shape(withoutNodeMeta(theirs.json)));
  });

  test("the same values where they mean something", async () => {
    type Health = { Node: { Node: string }; Service: Record<string, unknown>; Checks: Record<string, unknown>[] };
    const pick = (list: unknown) =>
      (list as Health[])
        .map(({ Node, Service, Checks }) => ({
          node: Node.Node,
          service: ["ID", "Service", "Tags", "Address", "Meta", "Port", "Weights", "TaggedAddresses"].map(
            (key) => Service[key],
          ),
          checks: Checks.map(({ CheckID, Name, Status, Type, ServiceID, ServiceTags }) => [
            CheckID,
            Name,
            Status,
            Type,
            ServiceID,
            ServiceTags,
          ]),
        }))
        .sort((a, b) => (String(a.service[0]) < String(b.service[0]) ? -1 : 1));
    for (const path of [
      "web",
      "db",
      "web?passing",
      "web?tag=b",
      "web?filter=Service.Port==81",
      'web?filter="a" in Service.Tags',
    ]) {
      const { ours, theirs } = await both(`GET /v1/health/service/${encodeURI(path)}`);
      expect(pick(ours.json)).toEqual(pick(theirs.json));
    }
    const services = await both("GET /v1/catalog/services");
    const { consul: _itself, ...theirs } = services.theirs.json as Record<string, string[]>;
    // Theirs come out of a map, in any order.
    expect(services.ours.json).toEqual(
      Object.fromEntries(Object.entries(theirs).map(([name, tags]) => [name, tags.sort()])),
    );
    const own = await both("GET /v1/agent/services");
    expect(own.ours.json).toEqual(own.theirs.json);
  });

  test.each<[string, unknown]>([
    ["PUT /v1/agent/service/deregister/zz", undefined],
    ["PUT /v1/agent/check/pass/zz", undefined],
    ["PUT /v1/agent/check/update/service:web-1", { Status: "zz" }],
    ["PUT /v1/agent/check/deregister/zz", undefined],
    ["PUT /v1/agent/check/register", { Name: "x", TTL: "1s", ServiceID: "nope" }],
    ["PUT /v1/agent/service/register", {}],
    ["PUT /v1/agent/service/register", { Name: "x", Port: 1, Check: { TTL: "q" } }],
    ["PUT /v1/agent/service/register", { Name: "x", Port: 1, Check: { TCP: "1:1" } }],
    ["GET /v1/agent/check/pass/x", undefined],
    ["GET /v1/health/service/web?index=x", undefined],
    ["GET /v1/health/service/web?index=1&wait=x", undefined],
    ["GET /v1/health/service/", undefined],
    ["GET /v1/agent/service/zz", undefined],
    ["GET /v1/nothing", undefined],
  ])("the same refusal: %s %p", async (what, body) => {
    const { ours, theirs } = await both(what, body);
    expect([ours.status, ours.body]).toEqual([theirs.status, theirs.body]);
  });

  test("the same statuses after the same reports", async () => {
    for (const report of ["pass", "warn", "fail", "pass"]) {
      await both(`PUT /v1/agent/check/${report}/service:web-1?note=because`);
      const statusOf = async (url: string) => {
        const checks = (await ask(url, "GET /v1/agent/checks")).json as Record<
          string,
          { Status: string; Output: string }
        >;
        return [checks["service:web-1"]?.Status, checks["service:web-1"]?.Output];
      };
      expect(await statusOf(discoverd.url)).toEqual(await statusOf(consul.url));
    }
  });
});
