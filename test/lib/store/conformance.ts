import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Entry, Operation, Store, StoreEvent } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { waitFor } from "../../testbed/waitFor.ts";

/** How the suite gets stores. */
export interface Conformance {
  /** A store on the same data as every other that this returned. */
  open(): Promise<Store>;
  /** Whether `open` may be called while another is open: two processes then share it. */
  shared: boolean;
  /** Ends the server's life and begins another on its data; the store handed in may be closed. Returns one to go on with. */
  restart?(store: Store): Promise<Store>;
  /** After everything. */
  cleanUp?(): Promise<void>;
}

let folders = 0;

/** Bytes of a text. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** The text of bytes. */
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);

/** A put. */
export const put = (key: string, value: string | Uint8Array = "v", lease?: string): Operation => ({
  op: "put",
  key,
  value: typeof value === "string" ? bytes(value) : value,
  ...(lease === undefined ? {} : { lease }),
});

/** What one watcher saw, and the state that follows from it. */
export class Watcher {
  readonly events: StoreEvent[] = [];
  readonly state = new Map<string, Entry>();
  rev = -1;
  ended = false;
  readonly #controller = new AbortController();
  readonly done: Promise<void>;

  constructor(store: Store, prefix: string, from?: number, slow?: () => Promise<void>) {
    this.done = this.#follow(store, prefix, from, slow);
  }

  stop(): void {
    this.#controller.abort();
  }

  /** Waits until it has seen everything up to a revision that wrote under its prefix. */
  async reach(rev: number, deadlineMs = 10_000): Promise<void> {
    await waitFor(() => this.rev >= rev, { what: `the watcher to reach ${rev} (is at ${this.rev})`, deadlineMs });
  }

  async #follow(store: Store, prefix: string, from: number | undefined, slow?: () => Promise<void>): Promise<void> {
    for await (const event of store.watch(prefix, from, this.#controller.signal)) {
      this.events.push(event);
      if (event.type === "put") this.state.set(event.entry.key, event.entry);
      if (event.type === "delete") this.state.delete(event.key);
      if (event.type === "progress") this.rev = event.rev;
      if (event.type === "reset") {
        this.state.clear();
        for (const entry of event.snapshot.entries) this.state.set(entry.key, entry);
        this.rev = event.snapshot.rev;
      }
      await slow?.();
    }
    this.ended = true;
  }
}

const sorted = (entries: Iterable<Entry>) => [...entries].sort((a, b) => Buffer.compare(bytes(a.key), bytes(b.key)));

/** The promises of lib/store/store.ts, as tests against one kind of store. */
export function describeStore(name: string, setup: () => Promise<Conformance>): void {
  setDefaultTimeout(60_000); // per file: a preload's holds for the first file only
  describe(`store ${name}`, () => {
    let given: Conformance;
    let store: Store;
    beforeAll(async () => {
      given = await setup();
      store = await given.open();
    }, 60_000);
    afterAll(async () => {
      await store?.close();
      await given?.cleanUp?.();
    });
    /** Every test has a prefix of its own. */
    const folder = () => `/t${++folders}/`;
    const code = async (promise: Promise<unknown>) =>
      await promise.then(
        () => "no error",
        (error) => (error instanceof StoreError ? error.code : error),
      );

    test("put, get, list: keys by their bytes, values untouched", async () => {
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
      const at = folder();
      const most = new Uint8Array(store.capabilities.maxValueBytes).fill(7);
      await store.txn({ then: [put(`${at}most`, most)] });
      expect((await store.get(`${at}most`))?.value).toEqual(most);
      const over = new Uint8Array(most.length + 1);
      expect(await code(store.txn({ then: [put(`${at}over`, over)] }))).toBe("too_large");
      expect(await store.get(`${at}over`)).toBeUndefined();
    });

    test("a prefix is a leading part of the key, and nothing more", async () => {
      const at = folder();
      const keys = ["a", "a/", "a/1", "a/2", "a0", "ab", "ab/1", "b"];
      await store.txn({ then: keys.map((key) => put(at + key)) });
      const under = async (prefix: string) =>
        (await store.list(at + prefix)).entries.map((e) => e.key.slice(at.length));
      expect(await under("a/")).toEqual(["a/", "a/1", "a/2"]);
      expect(await under("a")).toEqual(["a", "a/", "a/1", "a/2", "a0", "ab", "ab/1"]);
      expect(await under("ab/1")).toEqual(["ab/1"]);
      expect(await under("c")).toEqual([]);
      await store.txn({ then: [{ op: "deletePrefix", prefix: `${at}a/` }] });
      expect(await under("")).toEqual(["a", "a0", "ab", "ab/1", "b"]);
    });

    test("createRev survives updates and changes after a delete; modRev is the txn's rev", async () => {
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

    test("watch without a revision begins with reset; from one, with what came after it", async () => {
      const at = folder();
      await store.txn({ then: [put(`${at}a`, "1"), put(`${at}b`, "1")] });
      const fresh = new Watcher(store, at);
      await waitFor(() => fresh.events[0], { what: "the first event" });
      expect(fresh.events[0]).toMatchObject({
        type: "reset",
        snapshot: { entries: [{ key: `${at}a` }, { key: `${at}b` }] },
      });

      const { rev } = await store.list(at);
      await store.txn({ then: [put(`${at}a`, "2")] });
      await store.txn({ then: [{ op: "delete", key: `${at}b` }] });
      const last = await store.txn({ then: [put(`${at}c`, "1")] });
      const late = new Watcher(store, at, rev);
      await late.reach(last.rev);
      const short = late.events.map((e) =>
        e.type === "put" ? e.entry.key : e.type === "delete" ? `-${e.key}` : e.type,
      );
      expect(short.filter((e) => e !== "progress")).toEqual([`${at}a`, `-${at}b`, `${at}c`]);
      await fresh.reach(last.rev);
      expect(sorted(fresh.state.values())).toEqual((await store.list(at)).entries);
      for (const watcher of [fresh, late]) watcher.stop();
      await Promise.all([fresh.done, late.done]);
    });

    test("a watcher sees only its prefix", async () => {
      const at = folder();
      const watcher = new Watcher(store, `${at}a/`);
      await waitFor(() => watcher.events[0], { what: "the reset" });
      await store.txn({ then: [put(`${at}ab`), put(`${at}a`), put(`${at}a0`)] });
      const { rev } = await store.txn({ then: [put(`${at}a/1`)] });
      await watcher.reach(rev);
      expect([...watcher.state.keys()]).toEqual([`${at}a/1`]);
      watcher.stop();
      await watcher.done;
    });

    test("list, then watch from its rev: no gap while 1,000 writes race, order per key, the same end as list", async () => {
      const at = folder();
      let last = 0;
      const write = async (n: number) => {
        const key = `${at}${n % 20}`;
        const operation: Operation = n % 7 === 3 ? { op: "delete", key } : put(key, `${n}`);
        const { rev, wrote } = await store.txn({ then: [operation] });
        if (wrote) last = Math.max(last, rev);
      };
      const writing = Promise.all(Array.from({ length: 1000 }, (_, n) => write(n)));
      const watchers: Watcher[] = [];
      for (let i = 0; i < 5; i++) {
        const snapshot = await store.list(at);
        const watcher = new Watcher(store, at, snapshot.rev);
        watcher.rev = snapshot.rev;
        for (const entry of snapshot.entries) watcher.state.set(entry.key, entry); // before its first event can come
        watchers.push(watcher);
      }
      await writing;
      const { entries } = await store.list(at);
      for (const watcher of watchers) {
        await watcher.reach(last);
        expect(sorted(watcher.state.values())).toEqual(entries);
        const reached = new Map<string, number>();
        for (const event of watcher.events) {
          if (event.type !== "put" && event.type !== "delete") continue;
          const [key, rev] = event.type === "put" ? [event.entry.key, event.entry.modRev] : [event.key, event.rev];
          expect(rev).toBeGreaterThan(reached.get(key) ?? 0);
          reached.set(key, rev);
        }
        watcher.stop();
        await watcher.done;
      }
    });

    test("a watch from a revision that this store never had begins with reset", async () => {
      const at = folder();
      const { rev } = await store.txn({ then: [put(`${at}a`)] });
      const watcher = new Watcher(store, at, rev + 1_000_000);
      await waitFor(() => watcher.events[0], { what: "the reset" });
      expect(watcher.events[0]).toMatchObject({ type: "reset", snapshot: { entries: [{ key: `${at}a` }] } });
      watcher.stop();
      await watcher.done;
    });

    test("30 watchers all see the end", async () => {
      const at = folder();
      const watchers = Array.from({ length: 30 }, () => new Watcher(store, at));
      let last = 0;
      for (let n = 0; n < 20; n++) last = (await store.txn({ then: [put(`${at}${n % 4}`, `${n}`)] })).rev;
      const { entries } = await store.list(at);
      for (const watcher of watchers) {
        await watcher.reach(last);
        expect(sorted(watcher.state.values())).toEqual(entries);
        watcher.stop();
      }
      await Promise.all(watchers.map((watcher) => watcher.done));
    });

    test("a slow watcher ends at the same state, and costs bounded memory", async () => {
      const at = folder();
      let release = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const watcher = new Watcher(store, at, undefined, () => gate);
      await waitFor(() => watcher.events[0], { what: "the first event" });
      let last = 0;
      for (let n = 0; n < 60; n++) {
        const puts = Array.from({ length: 100 }, (_, i) => put(`${at}${n % 3 === 0 ? n : 0}-${i}`, `${n}`));
        last = (await store.txn({ then: puts })).rev;
      }
      expect(watcher.events.length).toBe(1);
      release();
      await watcher.reach(last);
      expect(sorted(watcher.state.values())).toEqual((await store.list(at)).entries);
      expect(watcher.events.length).toBeLessThan(6000); // merged, or reset
      watcher.stop();
      await watcher.done;
    });

    test("abort ends a watch at once, also one that waits and one that has events", async () => {
      const at = folder();
      const waiting = new Watcher(store, at);
      await waitFor(() => waiting.events[0], { what: "the reset" });
      const started = performance.now();
      waiting.stop();
      await waiting.done;
      expect(performance.now() - started).toBeLessThan(500);

      const controller = new AbortController();
      await store.txn({ then: [put(`${at}a`), put(`${at}b`)] });
      const seen: string[] = [];
      for await (const event of store.watch(at, 0, controller.signal)) {
        seen.push(event.type);
        controller.abort();
      }
      expect(seen.length).toBe(1);
      for await (const event of store.watch(at, undefined, controller.signal)) seen.push(event.type);
      expect(seen.length).toBe(1);
    });

    test("a lease: keys go with it, not before its TTL, and not later than the slack", async () => {
      const at = folder();
      const { minLeaseMs, leaseSlackMs } = store.capabilities;
      const watcher = new Watcher(store, at);
      const before = performance.now();
      const lease = await store.grantLease(minLeaseMs);
      const after = performance.now();
      expect(lease.ttlMs).toBeGreaterThanOrEqual(minLeaseMs);
      await store.txn({ then: [put(`${at}a`, "1", lease.id), put(`${at}b`, "1", lease.id), put(`${at}stays`)] });
      expect((await store.get(`${at}a`))?.lease).toBe(lease.id);
      const gone = () => watcher.events.some((event) => event.type === "delete");
      await waitFor(gone, { what: "the keys to go", deadlineMs: lease.ttlMs + leaseSlackMs + 5000 });
      const now = performance.now();
      expect(now - before).toBeGreaterThanOrEqual(lease.ttlMs);
      expect(now - after).toBeLessThan(lease.ttlMs + leaseSlackMs);
      expect((await store.list(at)).entries.map((entry) => entry.key)).toEqual([`${at}stays`]);
      expect((await store.keepAlive([lease.id])).get(lease.id)).toBe("expired");
      expect(await code(store.txn({ then: [put(`${at}x`, "1", lease.id)] }))).toBe("lease_expired");
      expect(await store.get(`${at}x`)).toBeUndefined();
      watcher.stop();
      await watcher.done;
    });

    test("keepalive keeps several leases in one call, and says which are lost", async () => {
      const at = folder();
      const leases = await Promise.all(
        [1, 2, 3].map(() => store.grantLease(Math.max(1000, store.capabilities.minLeaseMs))),
      );
      const ids = leases.map((lease) => lease.id);
      for (const id of ids) await store.txn({ then: [put(at + id, "1", id)] });
      const longest = Math.max(...leases.map((lease) => lease.ttlMs));
      const until = performance.now() + longest * 2 + store.capabilities.leaseSlackMs;
      await waitFor(
        async () => {
          const answers = await store.keepAlive(ids);
          expect([...answers.keys()].sort()).toEqual([...ids].sort());
          expect([...answers.values()].every((answer) => answer !== "expired" && answer > 0)).toBe(true);
          return performance.now() > until;
        },
        { what: "two TTLs to pass with keepalives", deadlineMs: longest * 4 + 10_000 },
      );
      expect((await store.list(at)).entries.length).toBe(3);
      const [first = "", second = "", third = ""] = ids;
      await store.revokeLease(second);
      await store.revokeLease(second); // an unknown lease is not an error
      const answers = await store.keepAlive(ids);
      expect(answers.get(second)).toBe("expired");
      expect([answers.get(first), answers.get(third)].includes("expired")).toBe(false);
      expect((await store.list(at)).entries.map((entry) => entry.lease).sort()).toEqual([first, third].sort());
      expect(await store.keepAlive([])).toEqual(new Map());
      for (const id of ids) await store.revokeLease(id);
      expect((await store.list(at)).entries).toEqual([]);
    });

    test("a put without the lease, or with another, takes the key off it", async () => {
      const at = folder();
      const [one, two] = await Promise.all([store.grantLease(20_000), store.grantLease(20_000)]);
      await store.txn({ then: [put(`${at}free`, "1", one.id), put(`${at}moved`, "1", one.id)] });
      await store.txn({ then: [put(`${at}free`, "2"), put(`${at}moved`, "2", two.id)] });
      await store.revokeLease(one.id);
      expect((await store.list(at)).entries.map((entry) => entry.lease)).toEqual([undefined, two.id]);
      await store.revokeLease(two.id);
      expect((await store.list(at)).entries.map((entry) => entry.key)).toEqual([`${at}free`]);
    });

    test("after a restart: entries, revisions and leases are there, watchers go on or reset", async () => {
      if (!given.restart) {
        expect(store.capabilities.volatile).toBe(true); // only a store that is gone with the process has no restart
        return;
      }
      const at = folder();
      const lease = await store.grantLease(30_000);
      await store.txn({ then: [put(`${at}a`, "1"), put(`${at}b`, "1", lease.id)] });
      const before = await store.list(at);
      const old = store;
      const watcher = new Watcher(old, at, before.rev);
      store = await given.restart(store);
      await waitFor(async () => store.get(`${at}a`), { what: "the store to answer again", deadlineMs: 20_000 });
      const after = await store.list(at);
      expect(after.entries).toEqual(before.entries);
      expect(after.rev).toBeGreaterThanOrEqual(before.rev);
      expect((await store.keepAlive([lease.id])).get(lease.id)).toBe(lease.ttlMs);
      const going = store === old ? watcher : new Watcher(store, at, before.rev);
      const { rev } = await store.txn({ then: [put(`${at}c`)] });
      expect(rev).toBeGreaterThan(before.rev);
      await going.reach(rev, 20_000);
      expect(going.state.has(`${at}c`)).toBe(true);
      for (const each of [watcher, going]) each.stop();
      await Promise.all([watcher.done, going.done]);
      await store.revokeLease(lease.id);
      expect(await store.get(`${at}b`)).toBeUndefined();
    });

    test("two stores on one server see each other; the watch of one shows the writes of the other", async () => {
      if (!given.shared) {
        const second = await code(given.open().then((other) => other.close()));
        expect(second).toBe(store.capabilities.volatile ? "no error" : "in_use");
        return;
      }
      const at = folder();
      const other = await given.open();
      const watcher = new Watcher(other, at);
      await waitFor(() => watcher.events[0], { what: "the reset" });
      const { rev } = await store.txn({ then: [put(`${at}a`, "mine")] });
      await watcher.reach(rev);
      expect(text(watcher.state.get(`${at}a`)?.value)).toBe("mine");
      expect(text((await other.get(`${at}a`))?.value)).toBe("mine");
      watcher.stop();
      await watcher.done;
      await other.close();
    });

    test("close ends watches, and calls after it say so", async () => {
      const last = given.shared || store.capabilities.volatile ? await given.open() : store;
      const watcher = new Watcher(last, folder());
      await waitFor(() => watcher.events[0], { what: "the reset" });
      expect(last.status()).toMatchObject({ connected: true });
      expect(Date.now() - last.status().currentAt).toBeLessThan(10_000);
      await last.close();
      await watcher.done;
      expect(watcher.ended).toBe(true);
      expect(await code(last.list("/"))).toBe("closed");
      expect(await code(last.txn({ then: [put("/x")] }))).toBe("closed");
      expect(await code(last.grantLease(5000))).toBe("closed");
      expect(await code(last.keepAlive(["1"]))).toBe("closed");
      expect(last.status().connected).toBe(false);
      await last.close();
    });
  });
}
