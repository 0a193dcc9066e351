import { expect, test } from "bun:test";
import fc from "fast-check";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Transaction } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import type { Change } from "../../../lib/store/watchBuffer.ts";
import { unwrapValue, wrapValue } from "../../../lib/store/zookeeper/envelope.ts";
import { inParallel } from "../../../lib/store/zookeeper/inParallel.ts";
import { KeyLocks } from "../../../lib/store/zookeeper/keyLocks.ts";
import { guardCount, Paths } from "../../../lib/store/zookeeper/paths.ts";
import { type Known, planTransaction } from "../../../lib/store/zookeeper/planTransaction.ts";
import { sortByKey } from "../../../lib/store/zookeeper/readTree.ts";
import { RecentChanges } from "../../../lib/store/zookeeper/recentChanges.ts";
import { zooKeeperUrl } from "../../../lib/store/zookeeper/zooKeeperUrl.ts";
import type { Stat } from "../../../lib/zookeeper/index.ts";
import { bytes } from "./conformance/suite.ts";

const paths = new Paths("/quayside");
const key = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom("/", ".", "=", "%", "a", "ä", "\u0001", "\u{1f600}"),
      fc.string({ minLength: 1, maxLength: 1 }),
    ),
    minLength: 1,
    maxLength: 20,
  })
  .filter((text) => text.isWellFormed() && !text.includes("\0"));

test("a key's path says the key, no two keys share one, and a leaf is never above another", () => {
  fc.assert(
    fc.property(key, key, (one, other) => {
      const [a, b] = [paths.of(one), paths.of(other)];
      expect(paths.key(a)).toBe(one);
      expect(a === b).toBe(one === other);
      expect(b.startsWith(`${a}/`)).toBe(false);
      // what ZooKeeper takes: no empty name, no "." and "..", nothing that must be a surrogate or a control character
      expect(a).toMatch(/^(\/[\x20-\x2e\x30-\x7e]+)+$/);
      expect(a.split("/").some((name) => name === "." || name === "..")).toBe(false);
    }),
    { numRuns: 2000 },
  );
  expect(paths.of("/discoverd/v1/s/web/i/1")).toBe("/quayside/k/%/discoverd/v1/s/web/i/=1");
  expect(paths.of("a")).toBe("/quayside/k/=a");
  expect(paths.of("../a b/")).toBe("/quayside/k/%2E%2E/a%20b/=");
});

test("paths that are not ours have no key", () => {
  for (const path of [
    "/quayside/k",
    "/quayside/k/a",
    "/quayside/k/=a/=b",
    "/quayside/k/=%2f",
    "/quayside/k/=%zz",
    "/quayside/g/00",
    "/other/k/=a",
    "/quayside/k/%2e/=a",
  ]) {
    expect(paths.key(path)).toBeUndefined();
  }
});

test("every key has one of the guards, and they are used alike", () => {
  const used = new Map<string, number>();
  for (let i = 0; i < 6400; i++) {
    const guard = paths.guard(`/discoverd/v1/s/web/i/${i}`);
    used.set(guard, (used.get(guard) ?? 0) + 1);
  }
  expect([...used.keys()].sort()).toEqual(Array.from({ length: guardCount }, (_, i) => paths.guardAt(i)));
  expect(Math.max(...used.values())).toBeLessThan(200);
});

test("a value and its age are read again; another program's data is nobody's", () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.option(fc.maxSafeInteger().map(Math.abs), { nil: undefined }),
      (value, createRev) => {
        expect(unwrapValue(wrapValue(value, createRev))).toEqual(
          createRev === undefined ? { value } : { value, createRev },
        );
      },
    ),
  );
  for (const text of ["", "{}", "@12=", "@zzzzzzzzzzzzzzzz=", "@ffffffffffffffff=x"])
    expect(unwrapValue(bytes(text))).toBeUndefined();
});

const stat = (part: Partial<Stat>): Stat => ({
  ...{
    czxid: 10,
    mzxid: 20,
    ctime: 0,
    mtime: 0,
    version: 3,
    cversion: 0,
    aversion: 0,
    dataLength: 0,
    numChildren: 0,
    pzxid: 10,
  },
  ...part,
});
const there = (name: string, part: Partial<Stat> = {}, createRev?: number): [string, Known] => {
  const whole = stat(part);
  const entry = { key: name, value: bytes("v"), createRev: createRev ?? whole.czxid, modRev: whole.mzxid };
  return [name, { guard: 7, stat: whole, entry }];
};
const plan = (txn: Transaction, known: [string, Known][] = [], deleted: string[] = []) => {
  const made = planTransaction(txn, new Map(known), deleted, paths);
  const list = made.kind === "failed" ? [] : made.kind === "read" ? made.checks : made.operations;
  return [
    made.kind,
    ...list.map((o) =>
      [
        o.op,
        o.path.replace("/quayside/", ""),
        "version" in o ? (o.version ?? -1) : o.op === "create" ? o.mode : "",
      ].join(" "),
    ),
  ];
};
const g = (name: string) => paths.guard(name).replace("/quayside/", "");
const put = (name: string, lease?: string) => ({
  op: "put" as const,
  key: name,
  value: bytes("n"),
  ...(lease ? { lease } : {}),
});

test("transactions as multis", () => {
  // a condition's key is asked by its version and its guard: a key that was made anew has version 0 too
  expect(plan({ if: [{ key: "a", modRev: 20 }], then: [put("a")] }, [there("a")])).toEqual([
    "write",
    `check ${g("a")} 7`,
    "set k/=a 3",
  ]);
  expect(plan({ if: [{ key: "a", modRev: 19 }], then: [put("a")] }, [there("a")])).toEqual(["failed"]);
  expect(plan({ if: [{ key: "a", createRev: 10 }], then: [{ op: "delete", key: "a" }] }, [there("a")])).toEqual([
    "write",
    `check ${g("a")} 7`,
    "delete k/=a 3",
    "set g/rev ",
  ]);
  // many may write one key
  expect(plan({ then: [put("a")] }, [there("a")])).toEqual(["write", `check ${g("a")} 7`, "set k/=a -1"]);
  // whoever makes a key sets its guard
  expect(plan({ if: [{ key: "a", exists: false }], then: [put("a", "1")] })).toEqual([
    "write",
    `set ${g("a")} -1`,
    "create k/=a ephemeral",
  ]);
  // a condition on what is not there holds only while nobody makes it
  expect(
    plan({ if: [{ key: "a", exists: false }], then: [put("b")] }, [
      ["a", { guard: 4 }],
      ["b", { guard: 5 }],
    ]),
  ).toEqual(["write", `set ${g("b")} -1`, `check ${g("a")} 4`, "create k/=b persistent"]);
  // another lease: made anew, in one step
  expect(plan({ then: [put("a", "2")] }, [there("a", { ephemeralOwner: "1" })])).toEqual([
    "write",
    `set ${g("a")} 7`,
    "delete k/=a 3",
    "create k/=a ephemeral",
  ]);
  expect(plan({ then: [{ op: "delete", key: "a" }] }, [["a", { guard: 1 }]])).toEqual(["read"]);
  expect(plan({ then: [{ op: "deletePrefix", prefix: "a" }] }, [], ["a", "ab"])).toEqual([
    "write",
    "delete k/=a ",
    "delete k/=ab ",
    "set g/rev ",
  ]);
  expect(
    plan({ if: [{ key: "a", exists: true }], then: [{ op: "get", key: "b" }] }, [there("a"), ["b", { guard: 2 }]]),
  ).toEqual(["read", `check ${g("a")} 7`, `check ${g("b")} 2`, "check k/=a 3"]);
});

test("a key that moves between leases keeps its age, also when it is written again", () => {
  const dataOf = (known: [string, Known], lease?: string) => {
    const made = planTransaction({ then: [put("a", lease)] }, new Map([known]), [], paths);
    const write =
      made.kind === "write" ? made.operations.find((o) => o.path === "/quayside/k/=a" && "data" in o) : undefined;
    return unwrapValue((write && "data" in write && write.data) || bytes(""));
  };
  expect(dataOf(there("a"))).toEqual({ value: bytes("n") });
  expect(dataOf(there("a", { ephemeralOwner: "1" }), "2")).toEqual({ value: bytes("n"), createRev: 10 });
  expect(dataOf(there("a", { czxid: 15, ephemeralOwner: "2" }, 10), "2")).toEqual({ value: bytes("n"), createRev: 10 });
  expect(dataOf(there("a", { czxid: 15, ephemeralOwner: "2" }, 10))).toEqual({ value: bytes("n"), createRev: 10 });
});

test("recent changes: the last of each key, bounded, and how far back they reach", () => {
  const recent = new RecentChanges(3, 10_000);
  const puts = (name: string, modRev: number, size = 1): Change => ({
    type: "put",
    entry: { key: name, value: new Uint8Array(size), createRev: 1, modRev },
  });
  const gone = (name: string, rev: number): Change => ({ type: "delete", key: name, rev });
  expect(recent.since).toBe(Number.POSITIVE_INFINITY);
  recent.begin(10);
  expect(
    [puts("a", 11), gone("b", 12), puts("a", 13), gone("b", 14), puts("a", 13)].map((change) => recent.add(change)),
  ).toEqual([true, true, true, false, false]);
  expect(recent.after("", 10)).toEqual([gone("b", 12), puts("a", 13)]);
  expect(recent.after("a", 13)).toEqual([]);
  recent.add(puts("c", 15));
  expect(recent.since).toBe(10);
  recent.add(puts("d", 16));
  expect([recent.since, recent.after("", 0).length]).toEqual([12, 3]);
  recent.add(puts("e", 17, 20_000)); // alone above the bytes
  expect([recent.since, recent.after("", 0).length]).toEqual([17, 0]);
});

test("keys are sorted by their bytes, also above the surrogates", () => {
  const names = ["\u{1f600}", "\uffee", "a", "Z", "ä"];
  const entries = names.map((name) => ({ key: name, value: bytes(""), createRev: 1, modRev: 1 }));
  expect(sortByKey(entries).map((entry) => entry.key)).toEqual(["Z", "a", "ä", "\uffee", "\u{1f600}"]);
});

test("work in parallel: never more than the limit, what is added is done, the first failure ends it", async () => {
  let [running, most, done] = [0, 0, 0];
  await inParallel([3, 3], 4, async (depth, add) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    if (depth > 0) for (let i = 0; i < 3; i++) add(depth - 1);
    running--;
    done++;
  });
  expect([most, done]).toEqual([4, 2 * (1 + 3 + 9 + 27)]);
  await inParallel([], 4, async () => {});
  expect(
    inParallel([1, 2, 3], 1, async (n) => (n === 2 ? Promise.reject(new Error("two")) : undefined)),
  ).rejects.toThrow("two");
});

test("locks: work on one key is in order, on others at once", async () => {
  const locks = new KeyLocks();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = locks.run(new Set(["a", "b"]), async () => {
    await gate.promise;
    order.push("first");
  });
  const second = locks.run(new Set(["b"]), async () => order.push("second"));
  await locks.run(new Set(["c"]), async () => order.push("other"));
  gate.resolve();
  await Promise.all([first, second]);
  expect(order).toEqual(["other", "first", "second"]);
  const failing = locks.run(new Set(["a"]), () => Promise.reject(new Error("no")));
  expect(failing).rejects.toThrow("no");
  await locks.run(new Set(["a"]), async () => order.push("after"));
  expect(order.at(-1)).toBe("after");
});

test("URLs: servers, path, login, TLS; and those that cannot be meant", async () => {
  expect(zooKeeperUrl("zookeeper://A,b:2182,[::1]:3/x/y/", {})).toEqual({
    connect: { servers: ["a:2181", "b:2182", "[::1]:3"] },
    root: "/x/y",
    url: "zookeeper://a:2181,b:2182,[::1]:3/x/y",
  });
  expect(zooKeeperUrl("zookeeper://u:p%40:x@h?tls", {})).toEqual({
    connect: { servers: ["h:2181"], auth: { scheme: "digest", credentials: "u:p@:x" }, tls: {} },
    root: "/quayside",
    url: "zookeepers://h:2181/quayside",
  });
  expect(
    zooKeeperUrl("zookeepers://h", { ZOOKEEPER_USER: "u", ZOOKEEPER_PASSWORD: "p" }).connect.auth?.credentials,
  ).toBe("u:p");
  for (const url of [
    ...[
      "zookeeper:h",
      "zookeeper://",
      "zookeeper://h:0",
      "zookeeper://h:70000",
      "zookeeper://h,,i",
      "zookeeper://h/a//b",
    ],
    ...[
      "zookeeper://h/../x",
      "zookeeper://h/zookeeper/x",
      "zookeeper://h/a%01",
      "zookeeper://h/%zz",
      "zookeeper://h?x=1",
    ],
    ...["zookeeper://h?cert=/none", "zookeeper://h?ca=/none", "zookeeper://secret%3Ax:y@h"],
  ]) {
    const error = await openStore(url, { env: {} }).then(
      (store) => store.close(),
      (reason: unknown) => reason,
    );
    expect([url, error instanceof StoreError && error.code]).toEqual([url, "bad_url"]);
    expect(String(error)).not.toContain("secret");
  }
});
