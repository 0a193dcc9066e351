import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createDiscoveryClient } from "../../../lib/discovery/client/createDiscoveryClient.ts";
import type { DiscoveryClient } from "../../../lib/discovery/client/discoveryClient.ts";
import { serverSentEvents } from "../../../lib/discovery/client/serverSentEvents.ts";
import { WatchMask } from "../../../lib/discovery/client/watchMask.ts";
import type { DiscoveryEvent } from "../../../lib/discovery/discovery.ts";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { serveApi } from "../../../lib/http/serveApi.ts";
import type { HttpServer } from "../../../lib/runtime/serveHttp.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { createDiscoverdApi } from "../../../tools/discoverd/api/createDiscoverdApi.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { collect, fold, inShort, instanceAt } from "./helpers.ts";

const a = instanceAt("10.0.0.1:80");
const b = instanceAt("10.0.0.2:80");
const c = instanceAt("10.0.0.3:80");

let store: Store;
let engine: Engine;
let server: HttpServer;
let client: DiscoveryClient;
let watching: AbortController;

async function serve(port = 0): Promise<HttpServer> {
  return await serveApi(createDiscoverdApi(engine, { version: "1" }), { port });
}

beforeEach(async () => {
  store = await openStore("memory:");
  engine = await openEngine(store, { ttlMs: 1500, checkMs: 100, logSize: 64 });
  server = await serve();
  client = createDiscoveryClient({ url: server.url, totalTimeoutMs: 1000 });
  watching = new AbortController();
});

afterEach(async () => {
  watching.abort();
  await client.close();
  await server.stop();
  await engine.close();
  await store.close();
});

test("says what the engine says", async () => {
  await client.addService("web", { leader_type: "manual" });
  await client.register("web", a);
  await client.setLeader("web", a.id);
  const meta = await client.setMeta("web", { data: { x: [1] }, index: 0 });
  expect(await client.services()).toEqual(engine.services());
  expect(await client.instances("web")).toEqual(engine.instances("web") ?? []);
  expect(await client.leader("web")).toEqual(engine.leader("web"));
  expect(await client.meta("web")).toEqual(meta);
  expect((await client.status()).daemon).toBe(engine.status().daemon);
  expect(await client.instances("db")).toBeUndefined();
  expect(await client.leader("db")).toBeUndefined();
  expect(await client.meta("db")).toBeUndefined();
  await client.deregister("web", a.id);
  await client.removeService("web");
  expect(await client.services()).toEqual([]);
});

test("refusals come as they were", async () => {
  await expect(client.removeService("web")).rejects.toThrow(
    expect.objectContaining({ code: "object_not_found", message: 'discoverd: service "web" not found' }),
  );
  await expect(client.register("web", { ...a, proto: "" })).rejects.toThrow("discoverd: proto must be set");
});

test("held: heartbeats keep it alive; without, it expires; closing leaves it to its TTL", async () => {
  await client.addService("web");
  await client.register("web", a, { held: true, ttlMs: 600 });
  await client.register("web", b, { ttlMs: 600 });
  await waitFor(() => engine.instances("web")?.length === 1, { what: "the one without heartbeats to expire" });
  expect(engine.instances("web")?.[0]?.addr).toBe(a.addr);
  await client.close();
  await waitFor(() => engine.instances("web")?.length === 0, { what: "the other to expire" });
});

test("the next server answers when one does not", async () => {
  await client.addService("web");
  const both = createDiscoveryClient({ url: ["http://127.0.0.1:1", server.url] });
  expect(await both.services()).toHaveLength(1);
  await both.close();
  const none = createDiscoveryClient({ url: "http://127.0.0.1:1", totalTimeoutMs: 300 });
  await expect(none.services()).rejects.toThrow(expect.objectContaining({ code: "service_unavailable" }));
  expect(await none.status()).toMatchObject({ ready: false, stale: true });
  await none.close();
});

test("a hung server does not hold a call for longer than the request's limit", async () => {
  const hung = Bun.serve({ port: 0, fetch: () => new Promise<Response>(() => undefined) });
  const both = createDiscoveryClient({ url: [`http://127.0.0.1:${hung.port}`, server.url], requestTimeoutMs: 150 });
  expect(await both.services()).toEqual([]);
  await both.close();
  await hung.stop(true);
});

describe("watch", () => {
  test("a restart of the server is not seen, but what changed meanwhile is", async () => {
    await client.addService("web");
    for (const one of [a, b]) await engine.register("web", one, { held: true });
    const seen = collect(client.watch("web", { signal: watching.signal }));
    await waitFor(() => seen.short().includes("current"), { what: "the initial state" });
    const { port } = server;
    await server.stop();
    await engine.deregister("web", a.id);
    await engine.register("web", c, { held: true });
    server = await serve(port);
    await waitFor(() => seen.short().includes("up 10.0.0.3:80"), { what: "the change" });
    expect(seen.short()).toEqual([
      "up 10.0.0.1:80",
      "up 10.0.0.2:80",
      "leader 10.0.0.1:80",
      "current",
      "down 10.0.0.1:80",
      "leader 10.0.0.2:80",
      "up 10.0.0.3:80",
    ]);
  });

  test("too much has changed to resume: the state is told by differences", async () => {
    await client.addService("web");
    await engine.register("web", a, { held: true });
    const seen = collect(client.watch(undefined, { signal: watching.signal }));
    await waitFor(() => seen.short().includes("current"), { what: "the initial state" });
    const { port } = server;
    await server.stop();
    for (let i = 0; i < 70; i++) await engine.register("web", { ...a, meta: { i: String(i) } });
    await engine.addService("db");
    await engine.register("db", b, { held: true });
    server = await serve(port);
    const isTold = () => seen.events.some(({ service, kind }) => service === "db" && kind === "leader");
    await waitFor(isTold, { what: "the new service" });
    const web = seen.events.filter(({ service }) => service === "web").map(inShort);
    expect(web.filter((event) => event.startsWith("up "))).toHaveLength(1);
    expect(web.filter((event) => event.startsWith("update"))).toHaveLength(1);
    expect(fold(seen.events.filter(({ service }) => service === "web")).instances[0]?.meta).toEqual({ i: "69" });
  });

  test("a wrong token ends it with an error", async () => {
    const guarded = await serveApi(createDiscoverdApi(engine, { version: "1", token: "secret-token" }), { port: 0 });
    const stranger = createDiscoveryClient({ url: guarded.url, token: "another-token" });
    const seen = collect(stranger.watch("web", { signal: watching.signal }));
    await seen.end;
    expect(seen.state.error).toMatchObject({ code: "unauthorized" });
    const friend = createDiscoveryClient({ url: guarded.url, token: "secret-token" });
    expect(await friend.services()).toEqual([]);
    await stranger.close();
    await friend.close();
    await guarded.stop();
  });

  test("one that does not read is cut, and the others get every event", async () => {
    await client.addService("web");
    const seen = collect(client.watch("web", { signal: watching.signal }));
    // Reads its head and then nothing.
    const lazy = await fetch(`${server.url}/services/web`);
    await waitFor(() => engine.watchers === 2, { what: "both to watch" });
    const meta = { padding: "x".repeat(900) };
    for (let i = 0; i < 12_000 && engine.watchers === 2; i++) {
      await engine.register("web", { ...a, meta: { ...meta, i: String(i) } }, { held: true });
    }
    await waitFor(() => engine.watchers === 1, { what: "the slow one to be cut" });
    const last = engine.instances("web")?.[0]?.meta?.i;
    await waitFor(() => fold(seen.events).instances[0]?.meta?.i === last, { what: "the other to have the last event" });
    await lazy.body?.cancel();
  }, 30_000);
});

describe("WatchMask", () => {
  const event = (kind: DiscoveryEvent["kind"], rev: number, instance?: DiscoveryEvent["instance"]): DiscoveryEvent => ({
    service: "web",
    kind,
    rev,
    ...(instance ? { instance } : {}),
  });

  test("what the new state no longer has goes down, with its leader", () => {
    const mask = new WatchMask(false);
    const at = { ...a, index: 1 };
    for (const one of [event("up", 0, at), event("leader", 0, at), event("current", 3)]) mask.apply(one);
    mask.connect();
    expect(mask.apply(event("current", 9)).map(inShort)).toEqual(["down 10.0.0.1:80", "leader", "current"]);
  });

  test("a server that sends no ids (the original) is masked as well", () => {
    const mask = new WatchMask(false);
    const at = { ...a, index: 1 };
    expect(mask.apply(event("up", 0, at))).toHaveLength(1);
    mask.apply(event("current", 0));
    expect(mask.apply(event("up", 0, { ...b, index: 2 })).map(inShort)).toEqual(["up 10.0.0.2:80"]);
    mask.connect();
    expect(mask.apply(event("up", 0, { ...at, meta: { v: "2" } })).map(inShort)).toEqual(["update 10.0.0.1:80"]);
    expect(mask.apply(event("current", 0)).map(inShort)).toEqual(["down 10.0.0.2:80", "current"]);
  });

  test("registered anew under the same address: down, then up", () => {
    const mask = new WatchMask(false);
    for (const one of [event("up", 0, { ...a, index: 1 }), event("current", 3)]) mask.apply(one);
    mask.connect();
    expect(mask.apply(event("up", 0, { ...a, index: 5 })).map(inShort)).toEqual(["down 10.0.0.1:80", "up 10.0.0.1:80"]);
  });
});

test("serverSentEvents: fields over chunk borders, comments, several data lines", async () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  async function* body() {
    yield encode(":\n\nid: 7\nda");
    yield encode("ta: one\ndata: two\n\nevent: error\ndata:x\r\n\r\n");
  }
  const got = [];
  for await (const event of serverSentEvents(body())) got.push(event);
  expect(got).toEqual([undefined, { id: "7", data: "one\ntwo" }, { event: "error", data: "x" }]);
});
