import { expect, test } from "bun:test";
import { waitFor } from "../../../testbed/waitFor.ts";
import { code, folder, put, type Suite } from "./suite.ts";
import { Watcher } from "./Watcher.ts";

/** Leases: not before their TTL, not long after it. */
export function leaseCases(suite: Suite): void {
  test("a lease: keys go with it, not before its TTL, and not later than the slack", async () => {
    const { store } = suite;
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
    const { store } = suite;
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
    const { store } = suite;
    const at = folder();
    const [one, two] = await Promise.all([store.grantLease(20_000), store.grantLease(20_000)]);
    await store.txn({ then: [put(`${at}free`, "1", one.id), put(`${at}moved`, "1", one.id)] });
    await store.txn({ then: [put(`${at}free`, "2"), put(`${at}moved`, "2", two.id)] });
    await store.revokeLease(one.id);
    expect((await store.list(at)).entries.map((entry) => entry.lease)).toEqual([undefined, two.id]);
    await store.revokeLease(two.id);
    expect((await store.list(at)).entries.map((entry) => entry.key)).toEqual([`${at}free`]);
  });
}
