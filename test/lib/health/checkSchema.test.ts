import { expect, test } from "bun:test";
import { parseChecks } from "../../../lib/health/checkSchema.ts";

test("checks as they may come", () => {
  const checks = [
    { type: "tcp", addr: "[::1]:80", interval_ms: 500 },
    { type: "http", url: "https://localhost/x?y=1", status: [200, 204], match: "ok", skip_verify: true },
    { type: "grpc", service: "a.B" },
    { type: "command", command: ["true"], name: "mine" },
    { type: "docker", container: "web", command: ["true"] },
    { type: "ttl", ttl_ms: 5000 },
  ];
  expect(parseChecks(checks) as unknown).toEqual(checks);
});

test.each<[unknown, string]>([
  [{}, "expected array"],
  [[{ type: "icmp" }], "type"],
  [[{ type: "tcp", intervall_ms: 5 }], "intervall_ms"],
  [[{ type: "tcp", addr: "x" }], "must be host:port"],
  [[{ type: "http", url: "file:///etc/passwd" }], "url"],
  [[{ type: "http", headers: { "a b": "c" } }], "is no header name"],
  [[{ type: "http", headers: { a: "b\r\nc: d" } }], "must be one line"],
  [[{ type: "http", path: "/a b" }], "path"],
  [[{ type: "command", command: [] }], "command"],
  [[{ type: "ttl" }], "ttl_ms"],
  [[{ type: "tcp" }, { type: "tcp" }], "the same name"],
  [[{ type: "tcp", interval_ms: 0 }], "interval_ms"],
  [[{ type: "tcp", timeout_ms: 1e12 }], "timeout_ms"],
])("%j is refused: %s", (raw, message) => {
  expect(() => parseChecks(raw)).toThrow(message);
});
