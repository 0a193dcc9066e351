import { describe, expect, test } from "bun:test";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { eventsOf } from "../../../lib/discovery/engine/eventsOf.ts";
import { expiring } from "../../../lib/discovery/engine/expiring.ts";
import { parseKey } from "../../../lib/discovery/engine/keys.ts";
import { leaderOf } from "../../../lib/discovery/engine/leaderOf.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { validateInstance } from "../../../lib/discovery/validateInstance.ts";
import { validateService } from "../../../lib/discovery/validateService.ts";
import { inShort, instanceAt } from "./helpers.ts";

test("an id is the MD5 of proto and address", () => {
  expect(instanceId("tcp", "127.0.0.1:2")).toBe("35ee81ee2b44f7521139b75e865e3c98");
  expect(instanceId("http", "localhost:10000")).toBe("74667cebd845d088d811ddef924895b7");
});

describe("validateInstance: the original's messages, in its order", () => {
  const good = instanceAt("127.0.0.1:2");
  const cases: [string, Partial<Instance>, string][] = [
    ["proto first", { proto: "", addr: "bad", id: "x" }, "discoverd: proto must be set"],
    ["proto's letters", { proto: "TCP", addr: "bad" }, "discoverd: proto must be lowercase alphanumeric"],
    ["no port", { addr: "127.0.0.1" }, "missing port in address 127.0.0.1"],
    ["bare IPv6", { addr: "::1:80" }, "too many colons in address ::1:80"],
    ["open bracket", { addr: "[::1:80" }, "missing ']' in address [::1:80"],
    ["no port after bracket", { addr: "[::1]" }, "missing port in address [::1]"],
    ["empty", { addr: "" }, "missing port in address "],
    ["id", { id: "xxx" }, "discoverd: instance id is incorrect, expected 35ee81ee2b44f7521139b75e865e3c98"],
  ];
  test.each(cases)("%s", (_name, change, message) => {
    expect(() => validateInstance({ ...good, ...change })).toThrow(
      expect.objectContaining({ code: "validation_error", message }),
    );
  });

  test.each(["h:0", "h:65536", "h:http", "h:", "a b:80", "a\n:80"])("ours: %p is refused", (addr) => {
    expect(() => validateInstance(instanceAt(addr))).toThrow(expect.objectContaining({ code: "validation_error" }));
  });

  test.each(["127.0.0.1:2", "[::1]:80", "localhost:10000", ":80"])("%p is accepted", (addr) => {
    expect(validateInstance(instanceAt(addr))).toBeUndefined();
  });
});

test.each([
  ["", "discoverd: service name must not be empty"],
  ["ABC", "discoverd: service must be lowercase alphanumeric plus dash"],
  ["a_b", "discoverd: service must be lowercase alphanumeric plus dash"],
  ["a/i/b", "discoverd: service must be lowercase alphanumeric plus dash"],
])("service name %p is refused", (name, message) => {
  expect(() => validateService(name)).toThrow(message);
});

test("keys that are not ours name nothing", () => {
  expect(parseKey("/discoverd/v1/s/web/i/abc")).toEqual({ kind: "instance", service: "web", id: "abc" });
  expect(parseKey("/discoverd/v1/s/web/config")).toEqual({ kind: "config", service: "web" });
  expect(parseKey("/discoverd/v1/d/abc")).toEqual({ kind: "daemon", daemon: "abc" });
  for (const key of [
    "/other",
    "/discoverd/v1/",
    "/discoverd/v1/s/web",
    "/discoverd/v1/s/web/i/",
    "/discoverd/v1/x/y",
  ]) {
    expect(parseKey(key)).toBeUndefined();
  }
});

describe("leaderOf", () => {
  const map = (...pairs: [string, number][]) =>
    new Map(pairs.map(([id, index]) => [id, { instance: { ...instanceAt("h:1"), id, index } }]));

  test("oldest: the lowest index, which is its token", () => {
    const { leader } = leaderOf("oldest", map(["b", 7], ["a", 5]), undefined);
    expect(leader?.instance.id).toBe("a");
    expect(leader?.fencingToken).toBe(5);
    expect(leaderOf("oldest", map(), undefined)).toEqual({});
  });

  test("manual: the named one while it is there; the token grows when it comes back", () => {
    expect(leaderOf("manual", map(["a", 5]), undefined)).toEqual({});
    expect(leaderOf("manual", map(["a", 5]), { id: "a", rev: 9 }).leader?.fencingToken).toBe(9);
    expect(leaderOf("manual", map(["b", 6]), { id: "a", rev: 9 })).toEqual({});
    expect(leaderOf("manual", map(["a", 12]), { id: "a", rev: 9 }).leader?.fencingToken).toBe(12);
  });

  test("oldest with a named leader: one older than the naming has to be named too", () => {
    expect(leaderOf("oldest", map(["a", 5], ["b", 7]), { id: "b", rev: 9 }).leader?.instance.id).toBe("b");
    expect(leaderOf("oldest", map(["a", 5]), { id: "b", rev: 9 })).toEqual({ toName: "a" });
    expect(leaderOf("oldest", map(["c", 11]), { id: "b", rev: 9 }).leader?.fencingToken).toBe(11);
  });

  test("oldest with a leader named before it came: named again, so that the next one's token is not smaller than its", () => {
    const b = { id: "b", rev: 4 };
    const { leader, toName } = leaderOf("oldest", map(["a", 5], ["b", 6]), b);
    expect([leader?.instance.id, leader?.fencingToken, toName]).toEqual(["a", 5, "b"]);
    expect(leaderOf("oldest", map(["a", 3], ["b", 6]), b)).toEqual({ toName: "b" });
    expect(leaderOf("oldest", map(["a", 5], ["b", 6]), { id: "b", rev: 7 }).leader?.fencingToken).toBe(7);
    expect(leaderOf("oldest", map(["b", 6], ["c", 8]), b)).toMatchObject({ leader: { fencingToken: 6 } });
    expect(leaderOf("oldest", map(["b", 6]), b).toName).toBeUndefined();
  });
});

test("eventsOf: those that came by index, those that went, meta, leader; only the last completes the revision", () => {
  const a = { ...instanceAt("a:1"), index: 1 };
  const b = { ...instanceAt("b:1"), index: 2 };
  const c = { ...instanceAt("c:1"), index: 3 };
  const instances = [
    { was: a, is: undefined },
    { was: b, is: { ...b, index: 9 } },
    { was: undefined, is: c },
  ];
  const before = { leader: undefined, meta: undefined };
  const after = { leader: { instance: c, fencingToken: 3 }, meta: { data: 1, index: 9 } };
  const events = eventsOf("s", instances, before, after, 10);
  expect(events.map(inShort)).toEqual(["down b:1", "up c:1", "up b:1", "down a:1", "service_meta 1", "leader c:1"]);
  expect(events.map(({ rev }) => rev)).toEqual([9, 9, 9, 9, 9, 10]);
  expect(eventsOf("s", [{ was: a, is: { ...a } }], before, before, 11)).toEqual([]);
});

describe("expiring", () => {
  const rules = { brakeShare: 0.5, brakeHoldMs: 30_000 };
  const beats = (...seen: number[]) => seen.map((seenAt) => ({ seenAt, ttlMs: 10_000, held: false }));

  test("one of many that is silent for longer than its TTL goes; one at its TTL stays", () => {
    const all = beats(0, 9_000, 9_000, 9_000);
    expect(expiring(10_000, all, rules).expired).toEqual([]);
    expect(expiring(10_001, all, rules)).toEqual({ expired: all.slice(0, 1), braked: [] });
  });

  test("two of two go: fewer than three are no mass", () => {
    expect(expiring(20_000, beats(0, 0), rules).expired).toHaveLength(2);
  });

  test("a mass is kept, also while it goes silent one after the other, and let go in the end", () => {
    const all = beats(0, 2_000, 3_000, 9_000);
    expect(expiring(10_001, all, rules)).toEqual({ expired: [], braked: all.slice(0, 1) });
    expect(expiring(13_001, all, rules).braked).toHaveLength(3);
    expect(expiring(40_001, all, rules).expired).toEqual(all.slice(0, 1));
  });

  test("the brake can be turned off; what is held here never expires nor counts", () => {
    expect(expiring(20_000, beats(0, 0, 0, 0), { ...rules, brakeShare: 1 }).expired).toHaveLength(4);
    const held = beats(0, 0, 0, 0).map((beat) => ({ ...beat, held: true }));
    expect(expiring(99_000, [...held, ...beats(0)], rules).expired).toHaveLength(1);
  });
});
