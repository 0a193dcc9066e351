import { afterEach, expect, test } from "bun:test";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import {
  type Balancer,
  randomBalancer,
  roundRobinBalancer,
  weightedBalancer,
} from "../../../../lib/discovery/client/balancer.ts";
import { createDialer } from "../../../../lib/discovery/client/dialer.ts";
import { keepRegistered } from "../../../../lib/discovery/client/keepRegistered.ts";
import { registerAndStandby } from "../../../../lib/discovery/client/registerAndStandby.ts";
import { registerWithSet } from "../../../../lib/discovery/client/registerWithSet.ts";
import { openServiceSet } from "../../../../lib/discovery/client/serviceSet.ts";
import type { Instance } from "../../../../lib/discovery/discovery.ts";
import { openEngine } from "../../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../../lib/store/openStore.ts";
import { freePort } from "../../../testbed/freePort.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { instanceAt } from "../helpers.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
async function engine() {
  const store = await openStore("memory:", { log: silentLogger });
  const opened = await openEngine(store);
  undo.push(() => store.close(), () => opened.close()); // biome-ignore format: one line
  await opened.addService("web");
  return opened;
}
const held = { held: true } as const;
const addrs = (all: readonly Instance[]) => all.map(({ addr }) => addr);

test("a set follows its service: members by age, leader, selection, usable ones", async () => {
  const discovery = await engine();
  await discovery.register("web", instanceAt("10.0.0.1:80", { v: "1" }), held);
  const set = await openServiceSet(discovery, "web");
  const blue = await openServiceSet(discovery, "web", { filter: { meta: { v: "2" } } });
  let changes = 0;
  const off = set.onChange(() => changes++);
  expect(set.leader?.addr).toBe("10.0.0.1:80");
  expect(blue.leader).toBeUndefined();
  await discovery.register("web", instanceAt("10.0.0.2:80", { v: "2" }), held);
  await set.until(({ instances }) => instances.length === 2);
  await blue.until(({ instances }) => instances.length === 1);
  expect(set.addrs).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
  expect(addrs(set.select({ v: "2" }))).toEqual(["10.0.0.2:80"]);
  expect(blue.leader?.addr).toBe("10.0.0.2:80");
  await discovery.setState("web", instanceAt("10.0.0.1:80").id, { state: "draining" });
  await set.until(({ usable }) => usable.length === 1);
  // The original never removed from a filtered set what went away.
  await discovery.deregister("web", instanceAt("10.0.0.2:80").id);
  await blue.until(({ instances }) => instances.length === 0);
  expect(changes).toBeGreaterThanOrEqual(3);
  off();
  const late = set.until(() => false);
  set.close();
  expect(late).rejects.toThrow("the set is closed");
  blue.close();
});

test("register with set: sees the others, may lead; standby waits for its turn, with a greater token", async () => {
  const discovery = await engine();
  const first = await registerWithSet(discovery, "web", instanceAt("10.0.0.1:80"));
  const second = await registerWithSet(discovery, "web", instanceAt("10.0.0.2:80"));
  expect([first.isLeader, second.isLeader]).toEqual([true, false]);
  expect(addrs(second.others)).toEqual(["10.0.0.1:80"]);
  expect(second.self.index).toBeGreaterThan(first.self.index ?? 0);
  await first.set.until(({ instances }) => instances.length === 2);
  expect(addrs(first.others)).toEqual(["10.0.0.2:80"]);
  const before = (await discovery.leader("web"))?.fencingToken ?? 0;
  let leads = false;
  const standby = registerAndStandby(discovery, "web", instanceAt("10.0.0.3:80")).then((leader) => {
    leads = true;
    return leader;
  });
  await first.close();
  await second.set.until(() => second.isLeader);
  expect(leads).toBe(false);
  await second.close();
  const { fencingToken, instance } = await standby;
  expect(instance.addr).toBe("10.0.0.3:80");
  expect(fencingToken).toBeGreaterThan(before);
  const stop = new AbortController();
  const never = registerAndStandby(discovery, "web", instanceAt("10.0.0.4:80"), { signal: stop.signal });
  stop.abort(new Error("enough"));
  expect(never).rejects.toThrow("enough");
});

test("balancers: fair, by weight, and never beyond a set that shrank", () => {
  const [a, b, c] = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"].map((addr) => instanceAt(addr)) as [
    Instance,
    Instance,
    Instance,
  ];
  const set = { usable: [a, b, c] as readonly Instance[] };
  const names = (balancer: Balancer, count: number) =>
    Array.from({ length: count }, () => balancer.next().addr.charAt(7)).join("");
  const robin = roundRobinBalancer(set);
  expect(names(robin, 5)).toBe("12312");
  set.usable = [a];
  expect(names(robin, 3)).toBe("111");
  set.usable = [a, b, c];
  expect(new Set(names(robin, 3))).toEqual(new Set("123"));
  let at = 0;
  const random = randomBalancer(set, () => [0, 0.5, 0.999_999][at++ % 3] ?? 0);
  expect(names(random, 3)).toBe("123");

  set.usable = [{ ...a, weight: 3 }, b, { ...c, weight: 0 }];
  const weighted = weightedBalancer(set);
  const mixed = names(weighted, 8);
  expect(mixed.slice(0, 4)).toBe(mixed.slice(4));
  expect([...mixed].filter((each) => each === "1")).toHaveLength(6);
  expect(mixed).not.toContain("3");
  set.usable = [{ ...c, weight: 0 }];
  expect(names(weighted, 2)).toBe("33");
  for (const each of [robin, random, weighted]) {
    set.usable = [];
    expect(() => each.next()).toThrow("balancer: no services found");
  }
});

test("the dialer tries each until one accepts", async () => {
  const discovery = await engine();
  const dialer = createDialer(discovery, { connectTimeoutMs: 1000 });
  undo.push(() => dialer.close());
  expect(dialer.dial("tcp", "web:80")).rejects.toThrow("dialer: no services found");
  await discovery.register("web", instanceAt(`127.0.0.1:${await freePort()}`), held);
  await waitFor(
    async () =>
      (await dialer.dial("tcp", "web").catch((error: Error) => error.message)) !== "dialer: no services found",
    {
      what: "the dialer to know of it",
    },
  );
  expect(dialer.dial("tcp", "web")).rejects.toThrow();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => new Response(request.headers.get("host")),
  });
  undo.push(() => server.stop(true));
  await discovery.register("web", instanceAt(`127.0.0.1:${server.port}`), held);
  const socket = await waitFor(() => dialer.dial("tcp", "web:80").catch(() => undefined), { what: "a connection" });
  expect(socket.remotePort).toBe(server.port ?? 0);
  socket.destroy();
  for (let i = 0; i < 5; i++) expect(await (await dialer.fetch("http://web/x")).text()).toBe("web");
  await discovery.addService("other");
  expect(dialer.fetch("http://other/")).rejects.toThrow("dialer: no services found");
});

test("a kept registration: service added, out while its check is down, meta kept for later, gone at the end", async () => {
  const discovery = await engine();
  const port = await freePort();
  const addr = `127.0.0.1:${port}`;
  const check = { type: "tcp", interval_ms: 30, start_interval_ms: 20, flap_limit: 0 } as const;
  const kept = keepRegistered(discovery, "fresh", instanceAt(addr, { v: "1" }), { checks: [check], retryMs: 20 });
  expect(discovery.instances("fresh")).toBeUndefined();
  const listen = () => Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
  let server = listen();
  await kept.whenRegistered;
  expect(addrs(discovery.instances("fresh") ?? [])).toEqual([addr]);
  server.stop(true);
  await waitFor(() => discovery.instances("fresh")?.length === 0, { what: "it to be out" });
  kept.setMeta({ v: "2" });
  server = listen();
  undo.push(() => server.stop(true));
  await waitFor(() => discovery.instances("fresh")?.[0]?.meta?.v === "2", { what: "it to be in with the new meta" });
  kept.setMeta({ v: "3" });
  await waitFor(() => discovery.instances("fresh")?.[0]?.meta?.v === "3", { what: "the meta to change" });
  await kept.close();
  expect(discovery.instances("fresh")).toEqual([]);

  const refused = keepRegistered(discovery, "web", { ...instanceAt(addr), proto: "TCP" });
  expect(refused.whenRegistered).rejects.toThrow("proto must be lowercase");
  await refused.close();
});
