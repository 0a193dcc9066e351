import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openStore } from "../../../lib/store/openStore.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { scratchDir } from "../../testbed/scratch.ts";

const dir = scratchDir();
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

test("a file of format 1 is taken over: keys, revisions, leases; and replay goes on from before", async () => {
  const file = join(dir, "old.db");
  const old = new DatabaseSync(file);
  old.exec(`
    CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, create_rev INTEGER NOT NULL, mod_rev INTEGER NOT NULL,
      lease TEXT) WITHOUT ROWID;
    CREATE INDEX kv_by_rev ON kv (mod_rev);
    CREATE INDEX kv_by_lease ON kv (lease);
    CREATE TABLE deleted (rev INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (rev, key)) WITHOUT ROWID;
    CREATE TABLE lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE meta (rev INTEGER NOT NULL, compact_rev INTEGER NOT NULL);
    INSERT INTO meta VALUES (9, 0);
    INSERT INTO lease VALUES ('l1', 60000);
    INSERT INTO kv VALUES ('/b', x'62', 2, 7, NULL), ('/a', x'61', 3, 3, 'l1');
    INSERT INTO deleted VALUES (9, '/c', unixepoch());
    PRAGMA application_id = 1903389028;
    PRAGMA user_version = 1;
  `);
  old.close();

  for (const time of ["first", "again"]) {
    const store = await openStore(`sqlite:${file}`);
    const { rev, entries } = await store.list("/");
    expect([time, rev]).toEqual([time, 9]);
    expect(entries).toEqual([
      { key: "/a", value: bytes("a"), createRev: 3, modRev: 3, lease: "l1" },
      { key: "/b", value: bytes("b"), createRev: 2, modRev: 7 },
    ]);
    expect(await store.keepAlive(["l1"])).toEqual(new Map([["l1", 60_000]]));
    const leaving = new AbortController();
    const told: string[] = [];
    for await (const event of store.watch("/", 3, leaving.signal)) {
      if (event.type === "put") told.push(`put ${event.entry.key}`);
      if (event.type === "delete") told.push(`delete ${event.key}`);
      if (event.type === "progress") leaving.abort();
    }
    expect(told).toEqual(["put /b", "delete /c"]);
    await store.close();
  }
});

test("many transactions as one write: each has its own revision and its own conditions, and sees those before it", async () => {
  const store = await openStore(`sqlite:${join(dir, "each.db")}`);
  try {
    const put = (key: string) => ({ op: "put", key, value: bytes(key) }) as const;
    const absent = (key: string) => ({ if: [{ key, exists: false }], then: [put(key)] });
    const results = await store.txnEach?.([absent("/a"), absent("/a"), absent("/b")]);
    expect(results?.map(({ ok, rev }) => [ok, rev])).toEqual([
      [true, 1],
      [false, 1],
      [true, 2],
    ]);
    expect((await store.list("/")).entries.map(({ key, modRev }) => [key, modRev])).toEqual([
      ["/a", 1],
      ["/b", 2],
    ]);
    const lost = { then: [{ ...put("/c"), lease: "none" }] };
    const error = await store.txnEach?.([lost]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).code).toBe("lease_expired");
    expect(await store.get("/c")).toBeUndefined();
  } finally {
    await store.close();
  }
});
