import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { checkTransaction } from "../../../lib/store/checkTransaction.ts";
import { compareLists, type Known, knownOf } from "../../../lib/store/consul/compareLists.ts";
import { ConsulStore } from "../../../lib/store/consul/consulStore.ts";
import { consulUrl } from "../../../lib/store/consul/consulUrl.ts";
import { openConsul } from "../../../lib/store/consul/openConsul.ts";
import { Pace } from "../../../lib/store/consul/pace.ts";
import { maxOperations, planTxn, readResults, refusalOf } from "../../../lib/store/consul/planTxn.ts";
import { Keys, pathPrefix, type WireEntry } from "../../../lib/store/consul/wire.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Condition, Operation, Store } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { code, put } from "./conformance/suite.ts";
import { Watcher } from "./conformance/Watcher.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const keys = new Keys("q");
const uuid = "01234567-89ab-cdef-0123-456789abcdef";

test("URLs: agents, ports, prefix, TLS, and the environment of Consul's own clients", () => {
  expect(consulUrl("consul://a,B:1,[::1]:2/p/q/", {})).toEqual({
    endpoints: ["http://a:8500", "http://b:1", "http://[::1]:2"],
    prefix: "p/q",
    headers: {},
    url: "consul://a:8500,b:1,[::1]:2/p/q",
  });
  expect(consulUrl("consul://", {})).toMatchObject({ endpoints: ["http://127.0.0.1:8500"], prefix: "quayside" });
  expect(consulUrl("consuls://h/p", {})).toMatchObject({ endpoints: ["https://h:8501"], tls: {} });
  expect(consulUrl("consul:///p", { CONSUL_HTTP_ADDR: "https://h:9/" })).toMatchObject({
    endpoints: ["https://h:9"],
    url: "consuls://h:9/p",
  });
  expect(consulUrl("consul://h/p", { CONSUL_HTTP_ADDR: "other:1" }).endpoints).toEqual(["http://h:8500"]);
  expect(consulUrl("consul:///p", { CONSUL_HTTP_ADDR: "unix:///run/consul.sock" })).toMatchObject({
    unix: "/run/consul.sock",
    url: "consul:///run/consul.sock/p",
  });
  expect(consulUrl("consul://h", { CONSUL_HTTP_SSL: "true", CONSUL_HTTP_SSL_VERIFY: "0" }).tls).toEqual({
    rejectUnauthorized: false,
  });
  expect(consulUrl("consul://h?tls=false", { CONSUL_HTTP_SSL: "true" }).tls).toBeUndefined();
  expect(consulUrl("consul://h", { CONSUL_HTTP_SSL: "" }).tls).toBeUndefined();

  const dir = mkdtempSync(join(tmpdir(), "consul-"));
  cleanUps.push(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "token");
  writeFileSync(file, " t0ken\n");
  const token = (query: string, env: Record<string, string>) => consulUrl(`consul://h${query}`, env).headers;
  expect(token("", { CONSUL_HTTP_TOKEN: "word" })).toEqual({ "x-consul-token": "word" });
  expect(token("", { CONSUL_HTTP_TOKEN: "word", CONSUL_HTTP_TOKEN_FILE: file })).toEqual({ "x-consul-token": "t0ken" });
  expect(token(`?token-file=${file}`, { CONSUL_HTTP_TOKEN: "word" })).toEqual({ "x-consul-token": "t0ken" });
  expect(token("", { CONSUL_HTTP_AUTH: "me:p" })).toEqual({ authorization: `Basic ${btoa("me:p")}` });
  expect(consulUrl(`consul://h?ca=${file}`, {})).toMatchObject({
    endpoints: ["https://h:8501"],
    tls: { ca: " t0ken\n" },
  });
});

test("URLs that cannot be meant are refused, and no credential is repeated", async () => {
  const urls = ["consul:h", "consul://h:0", "consul://h:99999", "consul://a,,b", "consul://h?x=1", "consul://h/%zz"];
  urls.push("consul://h/a//b", "consul://h/a/../b", "consul://h/a%20b", "consul://h?token-file=/none/token");
  urls.push("consul://s3cret@h", "consul://u:s3cret@h/p", "consul://h?token=s3cret", "consul://h?tls&cert=/none");
  for (const url of urls) {
    const error = await openStore(url, { env: {} }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect([url, error]).toEqual([url, expect.objectContaining({ code: "bad_url" })]);
    expect(String(error)).not.toContain("s3cret");
  }
  expect(() => consulUrl("consul://h", { CONSUL_HTTP_TOKEN: "s3cret\nx" })).toThrow(StoreError);
  expect(() => consulUrl("consul://h", { CONSUL_HTTP_TOKEN: "s3cret\nx" })).not.toThrow(/s3cret/);
});

test("what of a prefix a path can hold", () => {
  const cases: [string, string][] = [
    ["q/a/b", "q/a/b"],
    ["q/a/", "q/a/"],
    ["q/a//b", "q/a/"],
    ["q/./b", "q/"],
    ["q/../b", "q/"],
    ["q/..", "q/"],
    ["q/..a/b", "q/..a/b"],
    ["q/a b", "q/a"],
    ["q/a%2e", "q/a"],
    ["qä", "q"],
    ["q/日", "q/"],
  ];
  for (const [full, path] of cases) expect([full, pathPrefix(full)]).toEqual([full, path]);
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "/", ".", " ", "%", "2", "e", "ä", "\0", "?", "#") }),
      (rest) => {
        const path = pathPrefix(`q/${rest}`);
        expect(`q/${rest}`.startsWith(path)).toBe(true);
        expect(path.startsWith("q/")).toBe(true);
        expect(new URL(`http://h/v1/kv/${path}?x`).pathname).toBe(`/v1/kv/${path}`);
      },
    ),
  );
});

const anyKey = fc.constantFrom<string[]>("/a", "/b", "/c", "/d/1", "/d/2", "/e");
const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  anyKey.map((key): Operation => put(key)),
  anyKey.map((key): Operation => put(key, "v", uuid)),
  anyKey.map((key): Operation => ({ op: "delete", key })),
  anyKey.map((key): Operation => ({ op: "get", key })),
  fc.constantFrom("/d/", "/x").map((prefix): Operation => ({ op: "deletePrefix", prefix })),
);
const anyCondition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ key: anyKey, exists: fc.boolean() }),
  fc.record({ key: anyKey, modRev: fc.nat(9) }),
  fc.record({ key: anyKey, createRev: fc.nat(9) }),
);

test("the largest transaction that is accepted fits into Consul's 128 operations", () => {
  const limits = new ConsulStore(consulUrl("consul://127.0.0.1:1", {}), undefined, { timeoutMs: 100 });
  cleanUps.push(() => limits.close());
  const names = Array.from({ length: maxOperations }, (_, i) => `/k${i}/`);
  const conditions = names.map((key) => ({ key, modRev: 7 }));
  const holders = new Map(names.map((key) => [key, "another"]));
  for (const operations of [
    names.map((key) => put(key, "v", uuid)),
    names.map((key) => put(key)),
    names.map((key): Operation => ({ op: "delete", key })),
    names.map((prefix): Operation => ({ op: "deletePrefix", prefix })),
  ]) {
    const transaction = { if: conditions, then: operations };
    checkTransaction(transaction, limits.capabilities);
    for (const facts of [holders, new Map<string, string>()]) {
      const { steps } = planTxn(keys, transaction, { holders: facts, seen: new Map(), nonce: 1 });
      expect(steps.length).toBeLessThanOrEqual(128);
    }
  }
  const value = new Uint8Array(limits.capabilities.maxValueBytes);
  const longest = "\u0001".repeat(512);
  const { steps } = planTxn(
    keys,
    { if: [{ key: longest, modRev: 7 }], then: [put(longest, value, uuid)] },
    { holders: new Map([[longest, uuid.replace("0", "f")]]), seen: new Map(), nonce: 2 ** 48 },
  );
  expect(JSON.stringify(steps.map(({ wire }) => ({ KV: wire }))).length).toBeLessThanOrEqual(512 * 1024);
});

/** Consul's KV as far as planTxn uses it: what each verb answers, by agent/consul/state/txn.go. */
class Model {
  readonly entries = new Map<string, WireEntry>();
  index = 9;

  run(plan: ReturnType<typeof planTxn>): WireEntry[] {
    this.index++;
    const results: WireEntry[] = [];
    for (const { wire } of plan.steps) {
      const { Verb, Key } = wire;
      const old = this.entries.get(Key);
      const set = (Session?: string) => {
        const entry = {
          Key,
          Flags: wire.Flags ?? 0,
          CreateIndex: old?.CreateIndex ?? this.index,
          ModifyIndex: this.index,
        };
        this.entries.set(Key, { ...entry, Value: wire.Value ?? "", ...(Session ? { Session } : {}) });
        results.push({ ...entry, Value: null });
      };
      if (Verb === "set") set(old?.Session);
      if (Verb === "lock") set(wire.Session);
      if (Verb === "unlock") set();
      if (Verb === "get-or-empty") results.push(old ?? { Key, Flags: 0, CreateIndex: 0, ModifyIndex: 0, Value: null });
      if (["get", "check-index", "check-session"].includes(Verb) && old) results.push(old);
      for (const [key, entry] of [...this.entries]) {
        if (Verb === "get-tree" && key.startsWith(Key)) results.push(entry);
        if (Verb === "delete-tree" ? key.startsWith(Key) : Verb === "delete" && key === Key) this.entries.delete(key);
      }
    }
    return results;
  }
}

test("results are read as the plan was made, whatever was there", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyKey), fc.array(anyOperation, { maxLength: 5 }), (there, then) => {
      try {
        checkTransaction({ then }, { maxOperations, maxValueBytes: 9 } as Store["capabilities"]);
      } catch {
        fc.pre(false); // a key named twice
      }
      const model = new Model();
      for (const key of there) {
        model.entries.set(`q${key}`, { Key: `q${key}`, Flags: 0, CreateIndex: 3, ModifyIndex: 4, Value: "MQ==" });
      }
      const conditions = there.map((key): Condition => ({ key, exists: true }));
      const plan = planTxn(keys, { if: conditions, then }, { holders: new Map(), seen: new Map(), nonce: 77 });
      const outcome = readResults(keys, plan, model.run(plan));
      const changes = then.filter((operation) => {
        if (operation.op === "put") return true;
        if (operation.op === "delete") return there.includes(operation.key);
        return operation.op === "deletePrefix" && there.some((key) => key.startsWith(operation.prefix));
      });
      expect(outcome.complete).toBe(true);
      expect(outcome.wrote).toBe(changes.length > 0);
      if (changes.length > 0) expect(outcome.rev).toBe(10);
      const gets = then.filter(({ op }) => op === "get").map((operation) => ("key" in operation ? operation.key : ""));
      expect(outcome.entries.map((entry) => entry?.key)).toEqual(
        gets.map((key) => (there.includes(key) ? key : undefined)),
      );
      for (const key of model.entries.keys()) expect(key).not.toContain("~");
    }),
  );
});

test("why a transaction was refused", () => {
  fc.assert(
    fc.property(fc.array(anyCondition, { minLength: 1, maxLength: 5 }), fc.nat(9), (conditions, at) => {
      const plan = planTxn(
        keys,
        { if: conditions, then: [put("/a")] },
        { holders: new Map(), seen: new Map(), nonce: 1 },
      );
      const failed = conditions[at];
      const isCreateRev = failed !== undefined && "createRev" in failed && failed.createRev !== 0;
      const expected = failed === undefined ? "other" : isCreateRev ? "changed" : "condition";
      expect(refusalOf(plan, [{ index: at, what: "whatever" }])).toBe(expected);
      expect(refusalOf(plan, [{ index: at, what: "Permission denied: token lacks" }])).toBe("other");
    }),
  );
  const plan = planTxn(keys, { then: [put("/a")] }, { holders: new Map(), seen: new Map(), nonce: 1 });
  const what = 'failed session check for key "qa", current session "x" != ""';
  expect(refusalOf(plan, [{ index: 1, what }])).toBe("changed");
  expect(
    refusalOf(plan, [
      { index: 0, what },
      { index: 1, what: 'invalid session "x"' },
    ]),
  ).toBe("other");
});

const wire = (key: string, created: number, modified = created, Flags = modified): WireEntry => ({
  Key: `q${key}`,
  Value: "MQ==",
  Flags,
  CreateIndex: created,
  ModifyIndex: modified,
});
const known = (index: number, ...entries: WireEntry[]): Known => knownOf({ index, entries });

test("two lists of one history give the changes between them", () => {
  const before = known(9, wire("/a", 3), wire("/b", 4), wire("/c", 5));
  const changes = compareLists(keys, before, {
    index: 12,
    entries: [wire("/b", 4), wire("/c", 5, 11), wire("/d", 10)],
  });
  expect(changes?.map((change) => (change.type === "put" ? change.entry.key : `-${change.key}@${change.rev}`))).toEqual(
    ["/d", "/c", "-/a@12"],
  );
  expect(before.rev).toBe(12);
  expect(
    compareLists(keys, before, { index: 12, entries: [wire("/b", 4), wire("/c", 5, 11), wire("/d", 10)] }),
  ).toEqual([]);
});

test("an index that goes back: the memory of deletes was dropped, or the data was lost", () => {
  const dropped = known(9, wire("/a", 3));
  expect(compareLists(keys, dropped, { index: 3, entries: [wire("/a", 3)] })).toEqual([]);
  expect(dropped.rev).toBe(9); // what was told does not go back
  expect(compareLists(keys, dropped, { index: 10, entries: [wire("/a", 3, 10)] })).toHaveLength(1);

  const lost = [
    { index: 3, entries: [] },
    { index: 3, entries: [wire("/a", 3, 3, 1234)] },
    { index: 5, entries: [wire("/a", 5)] },
  ];
  for (const listed of lost) expect(compareLists(keys, known(9, wire("/a", 3)), listed)).toBeUndefined();
  expect(compareLists(keys, known(9), { index: 2, entries: [] })).toBeUndefined();
  // more history than before, but an entry that had to be known already
  expect(
    compareLists(keys, known(9, wire("/a", 3)), { index: 20, entries: [wire("/a", 3), wire("/b", 8)] }),
  ).toBeUndefined();
});

test("the pace: a burst, then so many a second, and less when the work is heavy", () => {
  const pace = new Pace({ burst: 3, perSecond: 10, share: 0.25 }, 0);
  expect([0, 0, 0].map((now) => pace.take(now))).toEqual([0, 0, 0]);
  expect(pace.take(0)).toBe(100);
  expect(pace.take(10_000)).toBe(0); // rested
  pace.spent(100);
  pace.spent(100);
  expect(pace.take(10_000)).toBe(500); // 200 ms at a quarter are 8 tokens; 2 are counted by take
});

/** Something that listens where Consul should. */
async function impostor(answer: (path: string) => Response | Promise<Response>, env = {}): Promise<Store> {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => answer(new URL(request.url).pathname),
  });
  cleanUps.push(() => server.stop(true));
  const store = await openConsul(`consul://127.0.0.1:${server.port}`, { env }, { timeoutMs: 800, probeMs: 200 });
  cleanUps.push(() => store.close());
  return store;
}

test("answers that are not Consul's fail only the call", async () => {
  const calls = [
    (store: Store) => store.get("/a"),
    (store: Store) => store.list("/"),
    (store: Store) => store.txn({ if: [{ key: "/a", exists: true }], then: [put("/a")] }),
    (store: Store) => store.grantLease(10_000),
    (store: Store) => store.keepAlive([uuid]),
  ];
  for (const body of ["<html>hello</html>", "", "null", "7", "[7]", '{"Results":', '"x"', '{"Errors":7}']) {
    for (const status of [200, 404, 409, 500]) {
      const store = await impostor(() => new Response(body, { status }));
      for (const call of calls) expect(["unavailable", "unauthorized"]).toContain(String(await code(call(store))));
    }
  }
  const one = await impostor(() =>
    Response.json([{ Key: "quayside/a" }, 7, null], { headers: { "x-consul-index": "5" } }),
  );
  expect(await one.list("/")).toEqual({ rev: 5, entries: [] });
});

test("a server that never answers, or stops in the middle, is a timeout", async () => {
  const silent = await impostor(() => new Promise<Response>(() => {}));
  expect(await code(silent.list("/"))).toBe("timeout");
  const half = await impostor(
    () => new Response(new ReadableStream({ start: (each) => each.enqueue(new TextEncoder().encode("[{")) })),
  );
  expect(await code(half.list("/"))).toBe("timeout");
  expect(half.status().connected).toBe(false);
});

test("a server that answers every watch at once is not asked in a hot loop", async () => {
  let asked = 0;
  const store = await impostor((path) => {
    if (path.startsWith("/v1/status")) return Response.json("127.0.0.1:1");
    asked++;
    return Response.json([wireIn("/a", asked)], { headers: { "x-consul-index": String(asked) } });
  });
  const watcher = new Watcher(store, "/");
  await waitFor(() => watcher.rev > 15, { what: "some answers" });
  const [before, started] = [asked, performance.now()];
  await waitFor(() => performance.now() - started > 1000, { what: "a second to pass" });
  expect(asked - before).toBeLessThan(40);
  expect(watcher.state.get("/a")?.modRev).toBe(watcher.rev);
  watcher.stop();
  await watcher.done;
});
const wireIn = (key: string, index: number): WireEntry => ({ ...wire(key, index), Key: `quayside${key}` });

test("a consul that is not there: open succeeds, calls say unavailable in time, the token is nowhere", async () => {
  const store = await openStore("consul://127.0.0.1:1,127.0.0.1:2/p", { env: { CONSUL_HTTP_TOKEN: "s3cret" } });
  cleanUps.push(() => store.close());
  const started = performance.now();
  const error = await store.get("/a").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "unavailable", retry: true });
  expect(performance.now() - started).toBeLessThan(5500);
  expect(store.status()).toMatchObject({ connected: false });
  expect(store.status().reason).toContain("127.0.0.1");
  expect(`${store.url} ${store.status().reason} ${error} ${Bun.inspect(error)}`).not.toContain("s3cret");
  expect(await code(store.txn({ then: [put("/a", "v", "12")] }))).toBe("invalid"); // another store's lease
});
