import { describe, expect, test } from "bun:test";
import { backendValue, desiredSets } from "../../../../../tools/ambassadord/planes/kernel/desiredSets.ts";
import { backendOf, routeOf } from "../../routeOf.ts";

const facts = { forwarding: true, bridgeTracking: true, localAddresses: new Set<string>() };
const [one, two, three] = [21, 22, 23].map((byte) => backendOf(`10.213.7.${byte}`, 80)) as [
  ReturnType<typeof backendOf>,
  ReturnType<typeof backendOf>,
  ReturnType<typeof backendOf>,
];
const setsFor = (backends: ReturnType<typeof backendOf>[], refusing: ReturnType<typeof backendOf>[]) =>
  desiredSets([routeOf({ backends })], facts, new Set(refusing.map(backendValue)));

describe("backends that refuse connects", () => {
  test("they have no slot while others are there, and refusals are still kept from the caller", () => {
    const { sets, targets } = setsFor([one, two, three], [two]);
    expect(new Set(sets.spread.values())).toEqual(new Set([one, three].map(backendValue)));
    expect(sets.spread.size).toBe(64);
    expect(sets.again.size).toBe(1);
    // What is on its way to it is not taken from it.
    expect([...targets.values()][0]?.size).toBe(3);
  });

  test("one that is left gets all", () => {
    const { sets } = setsFor([one, two], [two]);
    expect([...sets.fixed.values()]).toEqual([backendValue(one)]);
    expect(sets.again.size).toBe(1);
  });

  test("what refuses TCP still gets UDP", () => {
    const route = routeOf({ proto: "udp", backends: [one, two] });
    const { sets } = desiredSets([route], facts, new Set([backendValue(two)]));
    expect(new Set(sets.spread.values())).toEqual(new Set([one, two].map(backendValue)));
  });

  test("where all refuse, each is tried, and the caller hears of it", () => {
    const { sets } = setsFor([one, two], [one, two]);
    expect(new Set(sets.spread.values())).toEqual(new Set([one, two].map(backendValue)));
    expect(sets.again.size).toBe(0);
    expect([...setsFor([one], [one]).sets.fixed.values()]).toEqual([backendValue(one)]);
  });
});
