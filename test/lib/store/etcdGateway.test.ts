import { afterEach, expect, test } from "bun:test";
import { toEtcdError } from "../../../lib/store/etcd/etcdError.ts";
import { openEtcd } from "../../../lib/store/etcd/openEtcd.ts";
import type { Store } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { Watcher } from "./conformance/Watcher.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Something that listens where etcd should. */
async function impostor(answer: (path: string) => Response | Promise<Response>): Promise<Store> {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => answer(new URL(request.url).pathname),
  });
  cleanUps.push(() => server.stop(true));
  const store = await openEtcd(`etcd://127.0.0.1:${server.port}`, { env: {} }, { timeoutMs: 1000, probeMs: 200 });
  cleanUps.push(() => store.close());
  return store;
}
const errorOf = async (promise: Promise<unknown>): Promise<StoreError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`not a StoreError: ${error}`);
  return error;
};
const range =
  '{"header":{"cluster_id":"1","revision":"9"},"kvs":[{"key":"L2E=","value":"MQ==","create_revision":"3","mod_revision":"4"}]}';

test("etcd 3.3: what is not under /v3 is found under /v3beta", async () => {
  const asked: string[] = [];
  const store = await impostor((path) => {
    asked.push(path);
    return path.startsWith("/v3beta/") ? new Response(range) : new Response("404 page not found\n", { status: 404 });
  });
  expect(await store.get("/a")).toEqual({ key: "/a", value: new Uint8Array([0x31]), createRev: 3, modRev: 4 });
  expect((await store.list("/")).rev).toBe(9);
  expect(asked.filter((path) => path.startsWith("/v3/")).length).toBeLessThanOrEqual(2); // the first call and the first probe
});

test("answers that are not etcd's fail only the call", async () => {
  for (const body of ["<html>hello</html>", "", "null", "7", '{"header":', "[]".repeat(1)]) {
    const store = await impostor(() => new Response(body));
    if (body === "[]") expect(await store.get("/a")).toBeUndefined();
    else expect(await errorOf(store.get("/a"))).toMatchObject({ code: "unavailable" });
  }
  for (const [status, body] of [
    [500, "oops"],
    [404, "nothing"],
    [503, "{}"],
    [400, "[1]"],
  ] as const) {
    const store = await impostor(() => new Response(body, { status }));
    expect((await errorOf(store.get("/a"))).retry).toBe(true);
    expect(store.status().connected).toBe(false);
  }
});

test("a server that never answers, or stops in the middle, is a timeout", async () => {
  const silent = await impostor(() => new Promise<Response>(() => {}));
  expect(await errorOf(silent.list("/"))).toMatchObject({ code: "timeout" });
  const half = await impostor(
    () =>
      new Response(new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"he')) })),
  );
  expect(await errorOf(half.list("/"))).toMatchObject({ code: "timeout" });
});

test("reads go on while the members elect a leader, within the time limit; a write whose outcome is unknown does not", async () => {
  const changed = () => new Response('{"code":14,"message":"etcdserver: leader changed"}', { status: 503 });
  let asked = 0;
  const electing = await impostor((path) => {
    if (path.endsWith("/kv/txn")) return changed();
    return asked++ < 4 ? changed() : new Response(range);
  });
  expect((await electing.get("/a"))?.value).toEqual(new TextEncoder().encode("1"));
  const write = await errorOf(electing.txn({ then: [{ op: "put", key: "/a", value: new Uint8Array() }] }));
  expect(write).toMatchObject({ code: "unavailable", message: expect.stringContaining("leader changed") });

  let started = 0;
  const hangsAfter = 400;
  const then: [string, () => Promise<Response>][] = [
    ["unavailable", async () => changed()],
    ["timeout", async () => (performance.now() - started < hangsAfter ? changed() : new Promise<Response>(() => {}))],
  ];
  for (const [code, answer] of then) {
    const never = await impostor(answer);
    started = performance.now();
    expect(await errorOf(never.get("/a"))).toMatchObject({ code });
    expect(performance.now() - started).toBeGreaterThan(700);
    expect(performance.now() - started).toBeLessThan(1400);
  }
});

test("a watch whose lines are garbage goes on trying, with back-off, and never throws", async () => {
  let watches = 0;
  const store = await impostor((path) => {
    if (!path.endsWith("/watch")) return new Response(range);
    watches++;
    return new Response(
      ["{}\n", "garbage\n", '{"result":{"events":7}}\n', '{"result":{"events":[{"kv":{}}]}}\n'][watches % 4],
    );
  });
  const watcher = new Watcher(store, "/");
  await waitFor(() => watches > 5, { what: "further tries" });
  expect(watcher.ended).toBe(false);
  expect([...watcher.state.keys()]).toContain("/a");
  watcher.stop();
  await watcher.done;
});

test("both shapes of etcd's errors are read", () => {
  const codes = (body: string, status = 400) => {
    const error = toEtcdError("http://e", body, status);
    return [error.code, error.detail];
  };
  const lost = "etcdserver: requested lease not found";
  expect(codes(`{"error":"${lost}","message":"${lost}","code":5}`, 404)).toEqual(["lease_expired", lost]);
  expect(codes(`{"code":5,"message":"${lost}","details":[]}`, 404)).toEqual(["lease_expired", lost]);
  expect(codes('{"error":{"grpc_code":14,"http_code":503,"message":"no leader"}}')).toEqual([
    "unavailable",
    "no leader",
  ]);
  expect(codes('{"error":"x: request is too large","code":3}')[0]).toBe("too_large");
  expect(codes('{"error":"permission denied","code":7}', 403)[0]).toBe("unauthorized");
  expect(codes('{"error":"duplicate key given in txn request","code":3}')[0]).toBe("invalid");
  expect(codes("<html>", 502)).toEqual(["unavailable", "HTTP 502 <html>"]);
});
