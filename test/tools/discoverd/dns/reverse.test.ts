import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rcode, rrType } from "../../../../lib/dns/index.ts";
import { AddressIndex } from "../../../../tools/discoverd/dns/addressIndex.ts";
import { createDiscoverdZone } from "../../../../tools/discoverd/dns/discoverdZone.ts";
import { createReverseZones } from "../../../../tools/discoverd/dns/reverseZone.ts";
import type { Discoverd } from "../../../../tools/discoverd/index.ts";
import { inMemory } from "../faces/helper.ts";

let discoverd: Discoverd;
const ended = new AbortController();
beforeAll(async () => {
  discoverd = await inMemory();
  await discoverd.discovery.addService("web");
  for (const addr of ["10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80", "[fd00::1]:80"]) await register(addr);
});
afterAll(async () => {
  ended.abort();
  await discoverd.close();
});

const idOf = (addr: string) => new Bun.CryptoHasher("md5").update(`tcp-${addr}`).digest("hex");
const register = (addr: string, more: object = {}) =>
  discoverd.discovery.register("web", { id: idOf(addr), addr, proto: "tcp", ...more }, { held: true });
const context = { clientAddress: "", transport: "udp" } as const;

describe("names of addresses", () => {
  test("PTR leads to instance names; unknown addresses are not ours; it follows changes and states", async () => {
    const addresses = new AddressIndex({ discovery: discoverd.discovery, signal: ended.signal });
    const zones = createReverseZones({ addresses, origin: "discoverd", ttl: 7 });
    const ptr = async (name: string) => {
      const zone = zones.find(({ origin }) => name.toLowerCase().endsWith(origin));
      const answer = await zone?.answer({ name, type: rrType.PTR, class: 1 }, context);
      return answer?.answers.map((record) => (record.type === "PTR" ? `${record.ttl} ${record.target}` : "")).sort();
    };
    const named = (addr: string) => `7 ${idOf(addr)}.web._i.discoverd`;
    expect(await ptr("1.0.0.10.in-addr.arpa")).toEqual([named("10.0.0.1:80"), named("10.0.0.1:81")].sort());
    expect(await ptr("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.IP6.arpa")).toEqual([
      named("[fd00::1]:80"),
    ]);
    for (const other of [
      "9.0.0.10.in-addr.arpa",
      "0.0.10.in-addr.arpa",
      "01.0.0.10.in-addr.arpa",
      "256.0.0.10.in-addr.arpa",
      "x.ip6.arpa",
    ]) {
      expect(await ptr(other)).toBeUndefined();
    }
    await discoverd.discovery.setState("web", idOf("10.0.0.1:81"), { state: "maintenance" });
    await discoverd.discovery.deregister("web", idOf("10.0.0.2:80"));
    expect(await ptr("1.0.0.10.in-addr.arpa")).toEqual([named("10.0.0.1:80")]);
    expect(await ptr("2.0.0.10.in-addr.arpa")).toBeUndefined();
    await discoverd.discovery.setState("web", idOf("10.0.0.1:81"), { state: "up" });
  });
});

describe("the zone over a real engine", () => {
  test("states, weights, TTLs, and answers that are fresh until the service changes", async () => {
    const zone = createDiscoverdZone({
      origin: "discoverd",
      reader: discoverd.discovery,
      ttl: 5,
      negativeTtl: 9,
      now: () => 1000,
    });
    const ask = async (name: string, type: number) => {
      const answer = await zone.answer({ name, type, class: 1 }, context);
      if (!answer) throw new Error("not ours");
      return answer;
    };
    const before = await ask("web.discoverd", rrType.SRV);
    expect(before.answers.every(({ ttl }) => ttl === 5)).toBe(true);
    const isFresh = () => before.fresh?.(context);
    expect(isFresh()).toBe(true);
    await discoverd.discovery.addService("other");
    expect(isFresh()).toBe(true);
    for (const [addr, state] of [
      ["10.0.1.1:80", "warning"],
      ["10.0.1.2:80", "draining"],
      ["10.0.1.3:80", "down"],
    ] as const) {
      await register(addr, { state, weight: 9 });
    }
    expect(isFresh()).toBe(false);
    const after = await ask("web.discoverd", rrType.SRV);
    const nines = after.answers.filter((record) => record.type === "SRV" && record.weight === 9);
    expect(nines).toMatchObject([{ target: `${idOf("10.0.1.1:80")}.web._i.discoverd` }]);
    const down = await ask(`${idOf("10.0.1.3:80")}.web._i.discoverd`, rrType.A);
    expect(down).toMatchObject({ rcode: rcode.NOERROR, answers: [], authority: [{ type: "SOA", ttl: 9, minimum: 9 }] });
    expect((await ask("none.discoverd", rrType.A)).rcode).toBe(rcode.NXDOMAIN);
  });
});
