import { expect, test } from "bun:test";
import { parseDnsAddress, resolvConfServers, withoutSelf } from "../../../lib/dns/index.ts";

test.each([
  ["8.8.8.8", "8.8.8.8", 53],
  ["8.8.8.8:5353", "8.8.8.8", 5353],
  ["fd00::1", "fd00::1", 53],
  ["[fd00::1]", "fd00::1", 53],
  ["[fd00::1]:5353", "fd00::1", 5353],
])("parseDnsAddress %s", (text, hostname, port) => {
  expect(parseDnsAddress(text)).toEqual({ hostname, port });
});

test.each(["", "dns.example", "8.8.8.8:0", "8.8.8.8:65536", "8.8.8.8:", ":53", "fd00::1]:53"])(
  "parseDnsAddress refuses %p by name",
  (text) => {
    expect(() => parseDnsAddress(text)).toThrow(`"${text}" is no DNS server address`);
  },
);

test("resolvConfServers: three at most, lines that name none are passed over", () => {
  const text =
    "# x\nnameserver 10.0.0.1\nsearch a\nnameserver bad\n nameserver\tfd00::1 # y\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n";
  expect(resolvConfServers(text).map((server) => server.hostname)).toEqual(["10.0.0.1", "fd00::1", "10.0.0.3"]);
});

test("withoutSelf: never the addresses that we listen on", () => {
  const at = (hostname: string, port = 53) => ({ hostname, port });
  const upstreams = [at("127.0.0.1"), at("127.0.0.53"), at("192.0.2.1"), at("127.0.0.1", 5353)];
  expect(withoutSelf(upstreams, [at("127.0.0.1")])).toEqual([at("127.0.0.53"), at("192.0.2.1"), at("127.0.0.1", 5353)]);
  expect(withoutSelf(upstreams, [at("0.0.0.0")])).toEqual([at("192.0.2.1"), at("127.0.0.1", 5353)]);
});
