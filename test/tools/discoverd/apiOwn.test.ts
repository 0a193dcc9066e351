import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import type { Api } from "../../../lib/http/createApi.ts";
import { serveApi } from "../../../lib/http/serveApi.ts";
import { connectTcp } from "../../../lib/runtime/tcp.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { createDiscoverdApi } from "../../../tools/discoverd/api/createDiscoverdApi.ts";
import { instanceAt } from "../../lib/discovery/helpers.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const a = instanceAt("10.0.0.1:80", { v: "1" });
const b = instanceAt("10.0.0.2:80", { v: "2" });
let store: Store;
let engine: Engine;
let api: Api;
let ended: AbortController;

beforeEach(async () => {
  store = await openStore("memory:");
  engine = await openEngine(store, { daemonId: "one" });
  ended = new AbortController();
  const peers = () => ["10.0.0.1:1111"];
  api = createDiscoverdApi(engine, { version: "1", peers, address: () => "10.0.0.1:1111", signal: ended.signal });
  await engine.addService("web");
});

afterEach(async () => {
  ended.abort();
  await engine.close();
  await store.close();
});

async function ask(request: string, body?: unknown, accept = "") {
  const [method = "", path = ""] = request.split(" ");
  const text = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  const headers = { host: "127.0.0.1:1111", "content-type": "application/json", accept };
  return await api.fetch(new Request(`http://127.0.0.1:1111${path}`, { method, headers, ...text }));
}
const json = async (request: string, body?: unknown) => (await (await ask(request, body)).json()) as unknown;
const addrs = async (query: string) =>
  ((await json(`GET /services/web/instances${query}`)) as { addr: string }[]).map(({ addr }) => addr);
const refusedAs = (field: string) => ({ code: "validation_error", message: expect.stringContaining(field) });

describe("instances", () => {
  test("the original's bytes for what uses nothing of ours; what should get no work is hidden unless it is asked for", async () => {
    await engine.register("web", { id: a.id, addr: a.addr, proto: a.proto });
    await engine.register("web", { ...b, weight: 3, zone: "z1" });
    const index = engine.instances("web")?.[0]?.index;
    const [first] = ((await (await ask("GET /services/web/instances")).text()) ?? "").split("},{");
    expect(first).toBe(`[{"id":"${a.id}","addr":"10.0.0.1:80","proto":"tcp","index":${index}`);
    await ask(`PUT /services/web/instances/${b.id}/state`, { state: "down", reason: "refused", by: "check" });
    expect(await addrs("")).toEqual([a.addr]);
    expect(await addrs("?state=any")).toEqual([a.addr, b.addr]);
    expect(await addrs("?state=down,draining")).toEqual([b.addr]);
    expect(await addrs("?state=any&zone=z1&meta.v=2&unknown=1")).toEqual([b.addr]);
    expect(await addrs("?meta.v=1")).toEqual([]);
    expect(await json("GET /services/web/instances?state=odd")).toMatchObject(refusedAs("query.state"));
    expect(await json("GET /services/web/instances?state=down&detail")).toMatchObject([
      { weight: 3, zone: "z1", state: "down", reason: "refused", ttl_ms: 10_000, owner: "one" },
    ]);
  });

  test("a stream of the original sees an instance go that should get no work, and come back", async () => {
    const answer = await ask("GET /services/web/instances", undefined, "text/event-stream");
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    let got = "";
    void (async () => {
      for (let read = await reader.read(); !read.done; read = await reader.read()) got += decoder.decode(read.value);
    })();
    await engine.register("web", a);
    await engine.setState("web", a.id, { state: "maintenance" });
    await engine.setState("web", a.id, { state: "up" });
    const kinds = () => [...got.matchAll(/"kind":"(\w+)"/g)].map(([, kind]) => kind);
    await waitFor(() => kinds().length === 4, { what: "four events" });
    expect(kinds()).toEqual(["current", "up", "down", "up"]);
    expect(got).not.toContain("state");
    await reader.cancel();
    await waitFor(() => engine.watchers === 0, { what: "the watcher to be gone" });
  });
});

describe("blocking reads", () => {
  test("wait for the service's next change, and answer with its index", async () => {
    const first = await ask("GET /services/web/instances");
    const index = first.headers.get("discoverd-service-index");
    const waiting = ask(`GET /services/web/instances?index=${index}&wait=30s`);
    await engine.addService("other");
    await engine.register("web", a);
    const answer = await waiting;
    expect(await answer.json()).toMatchObject([{ addr: a.addr }]);
    expect(Number(answer.headers.get("discoverd-service-index"))).toBeGreaterThan(Number(index));
  });

  test("an absent service, leader or meta is waited for; nothing comes of it: the usual refusal", async () => {
    const waits = ["later/instances", "web/leader", "web/meta"].map((path) => ask(`GET /services/${path}?wait=30s`));
    await engine.addService("later");
    await engine.register("web", a);
    await engine.setMeta("web", { data: 1, index: 0 });
    const [instances, leader, meta] = await Promise.all(waits);
    expect([instances?.status, leader?.status]).toEqual([200, 200]);
    expect([200, 404]).toContain(meta?.status ?? 0); // woken by the leader's change: the service has one index
    const late = await ask("GET /services/never/instances?wait=20ms");
    expect([late.status, late.headers.has("discoverd-service-index")]).toEqual([404, true]);
  });

  test("indexes by themselves; times that are none", async () => {
    const { index } = (await json("GET /services/web/index")) as { index: number };
    const waiting = json(`GET /services/web/index?index=${index}`);
    await engine.register("web", a);
    expect(await waiting).toEqual({ index: engine.index("web") });
    expect(await json("GET /index")).toEqual({ index: engine.index(undefined) });
    for (const query of ["wait=soon", "wait=-1s", "index=x", "index=1.5"]) {
      expect(await json(`GET /services/web/instances?${query}`)).toMatchObject({ code: "validation_error" });
    }
  });
});

test("services: by page, by prefix; unknown parameters are refused by name", async () => {
  for (const name of ["a1", "a2", "a3", "b1"]) await engine.addService(name);
  const names = async (query: string) => {
    const answer = await ask(`GET /services${query}`);
    const page = ((await answer.json()) as { name: string }[]).map(({ name }) => name);
    return [page, answer.headers.get("discoverd-next")];
  };
  expect(await names("?prefix=a&limit=2")).toEqual([["a1", "a2"], "a2"]);
  expect(await names("?prefix=a&limit=2&after=a2")).toEqual([["a3"], null]);
  expect(await names("?limit=5")).toEqual([["a1", "a2", "a3", "b1", "web"], null]);
  expect(await json("GET /services?limt=2")).toMatchObject(refusedAs("query.limt"));
  expect(await json("GET /services?limit=0")).toMatchObject(refusedAs("query.limit"));
});

test("batches: places of what was refused, unknown fields by name, ids computed", async () => {
  const registration = { service: "web", addr: "10.0.0.1:80" };
  expect(await json("POST /registrations", [registration, { service: "no", addr: "10.0.0.1:80" }])).toEqual({
    done: 1,
    failed: [{ at: 1, code: "object_not_found", message: 'discoverd: service "no" not found', retry: false }],
  });
  expect(engine.instances("web")?.[0]?.id).toBe(a.id);
  for (const [body, field] of [
    [[{ ...registration, colour: "red" }], "body[0].colour"],
    [[registration, { service: 7 }], "body[1].service"],
    [[{ ...registration, meta: { v: 1 } }], "body[0].meta.v"],
    [[null], "body[0]"],
    [{}, "array"],
  ] as const) {
    expect(await json("POST /registrations", body)).toMatchObject(refusedAs(field));
  }
  expect(await json("POST /registrations", "[")).toMatchObject({ code: "syntax_error" });
  expect(await json("POST /heartbeats", { web: [a.id, "x"], no: [] })).toEqual({
    unknown: { web: ["x"] },
    missing: ["no"],
  });
  expect(await json("POST /heartbeats", { web: "x" })).toMatchObject(refusedAs("body.web"));
  expect(await json("POST /heartbeats", { web: [1] })).toMatchObject(refusedAs("body.web"));
});

test("states: strict, with the reason; the history has them", async () => {
  await engine.register("web", a);
  const path = `PUT /services/web/instances/${a.id}/state`;
  expect((await ask(path, { state: "draining", reason: "deploy" })).status).toBe(200);
  expect(await json(path, { state: "up", colour: 1 })).toMatchObject(refusedAs("colour"));
  expect(await json(path, { state: "odd" })).toMatchObject({ code: "validation_error" });
  expect((await ask("PUT /services/web/instances/x/state", { state: "up" })).status).toBe(404);
  expect(await json("GET /services/web/history")).toMatchObject([
    { change: "up", why: "registered" },
    { change: "leader", why: "elected" },
    { change: "state", why: "operator", detail: "draining: deploy", addr: a.addr },
  ]);
});

test("/raft says what is true, and why nothing is promoted or demoted", async () => {
  expect(await json("GET /raft/leader")).toEqual({ host: "10.0.0.1:1111" });
  expect(await json("PUT /raft/peers/10.0.0.1:1111")).toEqual({ last_index: engine.status().rev });
  expect(await json("PUT /raft/peers/10.0.0.9:1111")).toMatchObject({ code: "conflict" });
  expect((await ask("DELETE /raft/peers/10.0.0.9:1111")).status).toBe(200);
  expect(await json("DELETE /raft/peers/10.0.0.1:1111")).toMatchObject({ code: "conflict" });
  expect(await json("POST /raft/promote")).toMatchObject({ done: false, reason: expect.stringContaining("no raft") });
  expect(await json("POST /raft/demote")).toMatchObject({
    code: "conflict",
    message: expect.stringContaining("no raft"),
  });
});

test("a client that does not read is cut at its bound; another one gets everything meanwhile", async () => {
  const server = await serveApi(api, { port: 0 });
  const signal = AbortSignal.timeout(30_000);
  const request = "GET /services/web HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
  const [slow, quick] = [
    await connectTcp({ hostname: "127.0.0.1", port: server.port }, signal),
    await connectTcp({ hostname: "127.0.0.1", port: server.port }, signal),
  ];
  let got = "";
  quick.handlers = {
    data: (bytes) => {
      got = (got + new TextDecoder().decode(bytes)).slice(-2000);
    },
  };
  for (const socket of [slow, quick]) socket.write(new TextEncoder().encode(request));
  quick.resume(); // the other one stays paused
  await waitFor(() => engine.watchers === 2, { what: "both to watch" });
  const filler = "x".repeat(4000);
  let n = 0;
  await waitFor(
    async () => {
      for (let i = 0; i < 100; i++) await engine.register("web", { ...a, meta: { n: String(++n), filler } });
      return engine.watchers === 1;
    },
    { what: "the slow one to be cut", deadlineMs: 25_000 },
  );
  await waitFor(() => got.includes(`"n":"${n}"`), { what: "the quick one to have the last" });
  slow.destroy();
  quick.destroy();
  await server.stop();
}, 60_000);
