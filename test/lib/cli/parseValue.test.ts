import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { url } from "../../../lib/cli/options.ts";
import {
  formatAddress,
  formatDuration,
  parseDuration,
  parseListenAddress,
  parseValue,
} from "../../../lib/cli/parseValue.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";

describe("durations", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["2d", 172_800_000],
  ];
  for (const [text, ms] of cases) test(text, () => expect(parseDuration(text)).toBe(ms));
  for (const text of ["", "10", "s", "10 s", "-1s", "1s ", "1e3s", "10S", "99999999999999999d", "1".repeat(99)]) {
    test(`not ${JSON.stringify(text)}`, () => expect(() => parseDuration(text)).toThrow(UsageError));
  }
  test("written and read again", () => {
    fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe("listen addresses", () => {
  const cases: [string, string, number][] = [
    ["127.0.0.1:1111", "127.0.0.1", 1111],
    ["localhost:0", "localhost", 0],
    ["[::]:65535", "::", 65535],
    [":80", "0.0.0.0", 80],
    ["80", "127.0.0.1", 80],
    ["my_host.example:1", "my_host.example", 1],
  ];
  for (const [text, hostname, port] of cases) {
    test(text, () => expect(parseListenAddress(text)).toEqual({ hostname, port }));
  }
  for (const text of [
    "",
    ":",
    "h",
    "h:",
    "::1:80",
    "[::1]",
    "[x]:1",
    "h:-1",
    "h:65536",
    "h:8 0",
    "a b:1",
    "1.2.3:4",
    "h:1e3",
  ]) {
    test(`not ${JSON.stringify(text)}`, () => expect(() => parseListenAddress(text)).toThrow(UsageError));
  }
  test("anything: an address that is written back, or a usage error", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const address = parseListenAddress(text);
          expect(parseListenAddress(formatAddress(address))).toEqual(address);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });
});

describe("URLs", () => {
  const any = url({ description: "" });
  test("kept as written", () => {
    for (const text of ["memory:", "sqlite:/a/b.db", "consul:", "sqlite:/my files/b.db", "HTTP://Host/"]) {
      expect(parseValue(any, text)).toBe(text);
    }
  });
  test("several hosts, as stores have them", () => {
    expect(parseValue(any, "etcd://10.0.0.1:2379,10.0.0.2:2379/x")).toBe("etcd://10.0.0.1:2379,10.0.0.2:2379/x");
  });
  for (const text of ["", "no scheme", "://x", "http://", "http://a b", "etcd://a:1,b:x", "sqlite:a\n"]) {
    test(`not ${JSON.stringify(text)}`, () => expect(() => parseValue(any, text)).toThrow(UsageError));
  }
});
