import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatIpv4, parseIpv4 } from "../../../lib/netlink/ipv4.ts";
import { errnoName, NetlinkError } from "../../../lib/netlink/netlinkError.ts";

test("addresses go both ways", () => {
  expect(parseIpv4("10.0.0.1")).toBe(0x0a000001);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => parseIpv4(formatIpv4(n)) === n));
});

test.each(["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "a.b.c.d", " 1.2.3.4", "1.2.3.4\n", "::1", "1.2.3.-4"])(
  "%j is no address",
  (text) => {
    expect(parseIpv4(text)).toBeUndefined();
  },
);

test("errors name what failed and the errno", () => {
  const error = new NetlinkError("add map routes", 2, "no such table");
  expect(error).toMatchObject({ code: "ENOENT", errno: 2, message: "add map routes: ENOENT (no such table)" });
  expect(errnoName(99_999)).toBe("errno 99999");
});
