import { expect, test } from "bun:test";
import type { Store } from "../../../../lib/store/store.ts";
import { code, folder, put, type Suite, sorted, text } from "./suite.ts";

/** Keys, values, revisions, transactions. */
export function dataCases(suite: Suite): void {
  test("put, get, list: keys by their bytes, values untouched", async () => {
    const { store } = suite;
    const at = folder();
    const keys = [
      "a",
      "a/b",
      "ab",
      "Z",
      "ä",
      "日本",
      "\u{1f600}",
      "\uffee",
      "x y",
      "%2f",
      "a'\"\\",
      "\u0001",
      "~",
      "..",
    ];
    const binary = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const key of keys) await store.txn({ then: [put(at + key, key)] });
    await store.txn({ then: [put(`${at}binary`, binary.subarray(3, 200)), put(`${at}empty`, "")] });
    expect((await store.get(`${at}binary`))?.value).toEqual(binary.slice(3, 200));
    expect((await store.get(`${at}empty`))?.value).toEqual(new Uint8Array(0));
    expect(await store.get(`${at}none`)).toBeUndefined();
    const { entries } = await store.list(at);
    expect(entries.map((entry) => entry.key)).toEqual(sorted(entries).map((entry) => entry.key));
    expect(entries.length).toBe(keys.length + 2);
    for (const key of keys) expect(text((await store.get(at + key))?.value)).toBe(key);
    expect(entries.every((entry) => entry.lease === undefined)).toBe(true);
  });

  test("a value of the largest size, and one above it", async () => {
    const { store } = suite;
    const at = folder();
    const most = new Uint8Array(store.capabilities.maxValueBytes).fill(7);
    await store.txn({ then: [put(`${at}most`, most)] });
    expect((await store.get(`${at}most`))?.value).toEqual(most);
    const over = new Uint8Array(most.length + 1);
    expect(await code(store.txn({ then: [put(`${at}over`, over)] }))).toBe("too_large");
    expect(await store.get(`${at}over`)).toBeUndefined();
  });

  test("a prefix is a leading part of the key, and nothing more", async () => {
    const { store } = suite;
    const at = folder();
    const keys = ["a", "a/", "a/1", "a/2", "a0", "ab", "ab/1", "b"];
    await store.txn({ then: keys.map((key) => put(at + key)) });
    const under = async (prefix: string) => (await store.list(at + prefix)).entries.map((e) => e.key.slice(at.length));
    expect(await under("a/")).toEqual(["a/", "a/1", "a/2"]);
    expect(await under("a")).toEqual(["a", "a/", "a/1", "a/2", "a0", "ab", "ab/1"]);
    expect(await under("ab/1")).toEqual(["ab/1"]);
    expect(await under("c")).toEqual([]);
    await store.txn({ then: [{ op: "deletePrefix", prefix: `${at}a/` }] });
    expect(await under("")).toEqual(["a", "a0", "ab", "ab/1", "b"]);
  });

  test("createRev survives updates and changes after a delete; modRev is the txn's rev", async () => {
    const { store } = suite;
    const key = `${folder()}k`;
    const first = await store.txn({ then: [put(key, "1")] });
    const second = await store.txn({ then: [put(key, "2")] });
    expect(second.rev).toBeGreaterThan(first.rev);
    expect(await store.get(key)).toMatchObject({ createRev: first.rev, modRev: second.rev });
    await store.txn({ then: [{ op: "delete", key }] });
    expect(await store.get(key)).toBeUndefined();
    const third = await store.txn({ then: [put(key, "3")] });
    expect(await store.get(key)).toMatchObject({ createRev: third.rev, modRev: third.rev });
  });

  test("conditions of each kind, and what the other branch reads", async () => {
    const { store } = suite;
    const at = folder();
    const [there, absent] = [`${at}there`, `${at}absent`];
    const made = await store.txn({ then: [put(there)] });
    const changed = await store.txn({ then: [put(there)] });
    const holds = async (condition: Parameters<Store["txn"]>[0]["if"]) =>
      (await store.txn({ if: condition, then: [] })).ok;
    expect(await holds([{ key: there, exists: true }])).toBe(true);
    expect(await holds([{ key: there, exists: false }])).toBe(false);
    expect(await holds([{ key: absent, exists: false }])).toBe(true);
    expect(await holds([{ key: absent, exists: true }])).toBe(false);
    expect(await holds([{ key: there, modRev: changed.rev }])).toBe(true);
    expect(await holds([{ key: there, modRev: made.rev }])).toBe(false);
    expect(await holds([{ key: there, createRev: made.rev }])).toBe(true);
    expect(await holds([{ key: there, createRev: changed.rev }])).toBe(false);
    expect(await holds([{ key: absent, modRev: 0 }])).toBe(true);
    expect(await holds([{ key: absent, createRev: 0 }])).toBe(true);
    expect(
      await holds([
        { key: there, exists: true },
        { key: absent, exists: true },
      ]),
    ).toBe(false);
    expect(await holds([])).toBe(true);

    const failed = await store.txn({
      if: [{ key: absent, exists: true }],
      then: [put(`${at}never`)],
      else: [
        { op: "get", key: there },
        { op: "get", key: absent },
      ],
    });
    expect(failed).toMatchObject({ ok: false, wrote: false });
    expect(failed.entries.map((entry) => entry?.key)).toEqual([there, undefined]);
    expect(await store.get(`${at}never`)).toBeUndefined();
    const mixed = await store.txn({
      then: [put(`${at}new`), { op: "get", key: there }, { op: "delete", key: absent }],
    });
    expect(mixed).toMatchObject({ ok: true, wrote: true });
    expect(mixed.entries.map((entry) => entry?.key)).toEqual([there]);
  });

  test("one revision a txn; nothing changed is told", async () => {
    const { store } = suite;
    const at = folder();
    const { rev, wrote } = await store.txn({ then: [put(`${at}a`), put(`${at}b`)] });
    expect(wrote).toBe(true);
    expect((await store.list(at)).entries.map((entry) => entry.modRev)).toEqual([rev, rev]);
    const nothing = await store.txn({
      then: [
        { op: "delete", key: `${at}none` },
        { op: "deletePrefix", prefix: `${at}x` },
      ],
    });
    expect(nothing).toMatchObject({ ok: true, wrote: false });
    expect((await store.txn({ then: [{ op: "get", key: `${at}a` }] })).wrote).toBe(false);
  });

  test("create-if-absent: one of 50 wins", async () => {
    const { store } = suite;
    const key = `${folder()}k`;
    const tries = Array.from({ length: 50 }, (_, i) =>
      store.txn({ if: [{ key, exists: false }], then: [put(key, `${i}`)], else: [{ op: "get", key }] }),
    );
    const results = await Promise.all(tries);
    const winner = results.findIndex((result) => result.ok);
    expect(results.filter((result) => result.ok).length).toBe(1);
    for (const result of results) if (!result.ok) expect(text(result.entries[0]?.value)).toBe(`${winner}`);
  });

  test("compare-and-set: 20 clients count to 100 without losing one", async () => {
    const { store } = suite;
    const key = `${folder()}count`;
    await store.txn({ then: [put(key, "0")] });
    let left = 100;
    const client = async () => {
      while (left > 0) {
        const entry = await store.get(key);
        if (!entry) throw new Error("the counter is gone");
        const next = `${Number(text(entry.value)) + 1}`;
        if (left <= 0) return;
        left--;
        const { ok } = await store.txn({ if: [{ key, modRev: entry.modRev }], then: [put(key, next)] });
        if (!ok) left++;
      }
    };
    await Promise.all(Array.from({ length: 20 }, client));
    // a client may give up while another's attempt still fails, so the last ones are counted up alone
    while (left > 0) await client();
    expect(text((await store.get(key))?.value)).toBe("100");
  });

  test("what no store could keep is refused, and nothing is written", async () => {
    const { store } = suite;
    const at = folder();
    const { maxOperations } = store.capabilities;
    const many = (n: number) => Array.from({ length: n }, (_, i) => put(`${at}${i}`));
    expect(await code(store.txn({ then: many(maxOperations + 1) }))).toBe("too_large");
    expect(await code(store.txn({ then: [put("")] }))).toBe("invalid");
    expect(await code(store.txn({ then: [put(`${at}a\0b`)] }))).toBe("invalid");
    expect(await code(store.txn({ then: [put(`${at}\ud800`)] }))).toBe("invalid");
    expect(await code(store.txn({ then: [put(at + "k".repeat(512))] }))).toBe("invalid");
    expect(await code(store.txn({ then: [put(`${at}a`), put(`${at}a`)] }))).toBe("invalid");
    expect(await code(store.txn({ then: [put(`${at}a`), { op: "deletePrefix", prefix: at }] }))).toBe("invalid");
    expect(await code(store.get(""))).toBe("invalid");
    expect(await code(store.grantLease(0))).toBe("invalid");
    expect(await code(store.grantLease(Number.NaN))).toBe("invalid");
    expect((await store.list(at)).entries).toEqual([]);
    await store.txn({ then: many(maxOperations) });
    expect((await store.list(at)).entries.length).toBe(maxOperations);
  });
}
