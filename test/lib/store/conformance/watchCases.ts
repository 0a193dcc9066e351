import { expect, test } from "bun:test";
import type { Operation } from "../../../../lib/store/store.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { folder, put, type Suite, sorted } from "./suite.ts";
import { Watcher } from "./Watcher.ts";

/** Watches: complete, in order, bounded, ended at once. */
export function watchCases(suite: Suite): void {
  test("watch without a revision begins with reset; from one, with what came after it", async () => {
    const { store } = suite;
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
    const short = late.events.map((e) => (e.type === "put" ? e.entry.key : e.type === "delete" ? `-${e.key}` : e.type));
    // without an order across keys there is no history to replay: the changes in any order, or a reset
    const replayed = short.filter((e) => e !== "progress" && e !== "reset");
    if (store.capabilities.orderedAcrossKeys) expect(replayed).toEqual([`${at}a`, `-${at}b`, `${at}c`]);
    else if (short[0] !== "reset") expect(replayed.sort()).toEqual([`-${at}b`, `${at}a`, `${at}c`]);
    if (short[0] === "reset") expect(sorted(late.state.values())).toEqual((await store.list(at)).entries);
    await fresh.reach(last.rev);
    expect(sorted(fresh.state.values())).toEqual((await store.list(at)).entries);
    for (const watcher of [fresh, late]) watcher.stop();
    await Promise.all([fresh.done, late.done]);
  });

  test("a watcher sees only its prefix", async () => {
    const { store } = suite;
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
    const { store } = suite;
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
    const { store } = suite;
    const at = folder();
    const { rev } = await store.txn({ then: [put(`${at}a`)] });
    const watcher = new Watcher(store, at, rev + 1_000_000);
    await waitFor(() => watcher.events[0], { what: "the reset" });
    expect(watcher.events[0]).toMatchObject({ type: "reset", snapshot: { entries: [{ key: `${at}a` }] } });
    watcher.stop();
    await watcher.done;
  });

  test("30 watchers all see the end", async () => {
    const { store } = suite;
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
    const { store } = suite;
    const at = folder();
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const watcher = new Watcher(store, at, undefined, () => gate);
    await waitFor(() => watcher.events[0], { what: "the first event" });
    let last = 0;
    const length = Math.min(100, store.capabilities.maxOperations);
    for (let n = 0; n < 60; n++) {
      const puts = Array.from({ length }, (_, i) => put(`${at}${n % 3 === 0 ? n : 0}-${i}`, `${n}`));
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
    const { store } = suite;
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
}
