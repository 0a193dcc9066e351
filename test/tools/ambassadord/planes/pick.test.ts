import { describe, expect, test } from "bun:test";
import { desiredSets, type HostFacts } from "../../../../tools/ambassadord/planes/kernel/desiredSets.ts";
import { whyNotKernel } from "../../../../tools/ambassadord/planes/kernel/whyNotKernel.ts";
import { pick } from "../../../../tools/ambassadord/planes/pick.ts";
import type { Route } from "../../../../tools/ambassadord/planes/plane.ts";
import { SocketPlane } from "../../../../tools/ambassadord/planes/socket/socketPlane.ts";
import { backendOf, routeOf } from "../routeOf.ts";

const facts: HostFacts = { forwarding: true, bridgeTracking: true, localAddresses: new Set(["192.0.2.1"]) };
const socket = new SocketPlane();
const kernel = {
  canCarry(route: Route) {
    const why = whyNotKernel(route, facts);
    return why === undefined ? ({ ok: true } as const) : ({ ok: false, why } as const);
  },
};
const plain = routeOf({ backends: [backendOf("10.213.7.21", 80)] });
const withProxy = routeOf({ needs: { proxyProtocol: "v1" } });

describe("whyNotKernel", () => {
  test("carries known backends on the caller's network, on the host and, forwarding, elsewhere", () => {
    const elsewhere = { ...backendOf("198.51.100.7", 80), networkId: undefined } as never;
    const onHost = { ...backendOf("192.0.2.1", 80), networkId: undefined } as never;
    for (const backends of [[], plain.backends, [elsewhere], [onHost]])
      expect(whyNotKernel(routeOf({ backends }), facts)).toBeUndefined();
    expect(whyNotKernel(routeOf({ backends: [elsewhere] }), { ...facts, forwarding: false })).toContain("ip_forward");
    expect(whyNotKernel(routeOf({ backends: [onHost] }), { ...facts, forwarding: false })).toBeUndefined();
  });

  test.each([
    ["different Docker networks", routeOf({ backends: [backendOf("10.9.9.9", 80, { networkId: "net2" })] })],
    ["connect fails", routeOf({ needs: { connectAttempts: 3 } })],
    ["PROXY protocol v1", withProxy],
    ["any caller", routeOf({ caller: { name: "any", addresses: [] } })],
    ["loopback", routeOf({ backends: [backendOf("127.0.0.1", 80)] })],
    ["not IPv4", routeOf({ backends: [backendOf("fd00::1", 80)] })],
    ["not that of a host", routeOf({ backends: [backendOf("224.0.0.1", 80)] })],
    ["itself a backend", routeOf({ backends: [backendOf("10.213.7.11", 80)] })],
    ["65 backends", routeOf({ backends: Array.from({ length: 65 }, (_, i) => backendOf(`10.213.8.${i}`, 80)) })],
    [
      "enable_icc=false",
      routeOf({
        caller: { name: "c", addresses: [{ ip: "10.0.0.2", networkId: "net1", gateway: "10.0.0.1", isolated: true }] },
        backends: plain.backends,
      }),
    ],
    [
      "internal",
      routeOf({
        caller: { name: "c", addresses: [{ ip: "10.0.0.2", networkId: "n", gateway: "10.0.0.1", internal: true }] },
        backends: [{ id: "x", ip: "198.51.100.7", port: 80, weight: 1 }],
      }),
    ],
  ])("says why not: %s", (words, route) => {
    expect(whyNotKernel(route, facts)).toContain(words);
  });
});

describe("pick", () => {
  test("the kernel where it can, else user space with the reason", () => {
    expect(pick(plain, kernel, socket, "auto").plane).toBe("kernel");
    const far = routeOf({ backends: [backendOf("10.9.9.9", 80, { networkId: "net2" })] });
    expect(pick(far, kernel, socket, "auto")).toMatchObject({
      plane: "socket",
      why: expect.stringContaining("different"),
    });
    const none = { unavailable: "not permitted" };
    expect(pick(plain, none, socket, "auto")).toEqual({ plane: "socket", why: "no kernel plane: not permitted" });
  });

  test("what was chosen, or nothing, and both reasons", () => {
    expect(pick(plain, kernel, socket, "socket")).toMatchObject({
      plane: "socket",
      why: expect.stringContaining("--plane socket"),
    });
    expect(pick(withProxy, kernel, socket, "kernel")).toMatchObject({
      plane: "none",
      why: expect.stringContaining("--plane kernel"),
    });
    expect(pick(withProxy, kernel, socket, "auto")).toMatchObject({
      plane: "none",
      why: expect.stringContaining("does not write"),
    });
  });
});

describe("desiredSets", () => {
  test("one backend is one element, several are 64, none is closed; whoever comes second is told whose it is", () => {
    const [b1, b2] = [backendOf("10.213.7.21", 8080), backendOf("10.213.7.22", 8080)];
    const again = routeOf({ id: "second", backends: [b2] });
    const { sets, taken } = desiredSets(
      [routeOf({ backends: [b1] }), routeOf({ port: 81, backends: [b1, b2] }), routeOf({ port: 82 }), again],
      facts,
    );
    expect([...sets.fixed]).toEqual([["0ad5070b0600000000500000", "0ad507151f900000"]]);
    expect(sets.spread.size).toBe(64);
    expect([...sets.spread.keys()][63]).toBe("0ad5070b06000000005100003f000000");
    expect([...sets.closed.keys()]).toEqual(["0ad5070b0600000000520000"]);
    expect([...sets.again.keys()]).toEqual(["0ad5070b00510000"]);
    expect(sets.hairpin.size).toBe(0);
    expect(taken.get(again)).toBe("10.213.7.11/tcp/80");
    const untracked = desiredSets([routeOf({ backends: [b1] })], { ...facts, bridgeTracking: false });
    expect([...untracked.sets.hairpin.keys()]).toEqual(["0ad5070b0ad50715"]);
  });
});
