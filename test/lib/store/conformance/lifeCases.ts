import { expect, test } from "bun:test";
import { waitFor } from "../../../testbed/waitFor.ts";
import { code, folder, put, type Suite, text } from "./suite.ts";
import { Watcher } from "./Watcher.ts";

/** Restart, several stores on one server, close. */
export function lifeCases(suite: Suite): void {
  test("after a restart: entries, revisions and leases are there, watchers go on or reset", async () => {
    if (!suite.given.restart) {
      expect(suite.store.capabilities.volatile).toBe(true); // only a store that is gone with the process has no restart
      return;
    }
    const at = folder();
    const lease = await suite.store.grantLease(30_000);
    await suite.store.txn({ then: [put(`${at}a`, "1"), put(`${at}b`, "1", lease.id)] });
    const before = await suite.store.list(at);
    const old = suite.store;
    const watcher = new Watcher(old, at, before.rev);
    suite.store = await suite.given.restart(suite.store);
    await waitFor(async () => suite.store.get(`${at}a`), { what: "the store to answer again", deadlineMs: 20_000 });
    const after = await suite.store.list(at);
    expect(after.entries).toEqual(before.entries);
    expect(after.rev).toBeGreaterThanOrEqual(before.rev);
    expect((await suite.store.keepAlive([lease.id])).get(lease.id)).toBe(lease.ttlMs);
    const going = suite.store === old ? watcher : new Watcher(suite.store, at, before.rev);
    const { rev } = await suite.store.txn({ then: [put(`${at}c`)] });
    expect(rev).toBeGreaterThan(before.rev);
    await going.reach(rev, 20_000);
    expect(going.state.has(`${at}c`)).toBe(true);
    for (const each of [watcher, going]) each.stop();
    await Promise.all([watcher.done, going.done]);
    await suite.store.revokeLease(lease.id);
    expect(await suite.store.get(`${at}b`)).toBeUndefined();
  });

  test("two stores on one server see each other; the watch of one shows the writes of the other", async () => {
    const { store } = suite;
    if (!suite.given.shared) {
      const second = await code(suite.given.open().then((other) => other.close()));
      expect(second).toBe(store.capabilities.volatile ? "no error" : "in_use");
      return;
    }
    const at = folder();
    const other = await suite.given.open();
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
    const { store } = suite;
    const last = suite.given.shared || store.capabilities.volatile ? await suite.given.open() : store;
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
}
