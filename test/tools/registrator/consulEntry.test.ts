import { describe, expect, test } from "bun:test";
import { consulEntries, consulEntry } from "../../../tools/registrator/registries/consul/consulEntry.ts";
import type { Service } from "../../../tools/registrator/services/service.ts";

const origin = { owner: "engine-1", containerId: "0123456789abcdef", containerName: "web" };
const stamp = {
  "registrator-engine": "engine-1",
  "registrator-container": "0123456789abcdef",
  "registrator-name": "web",
};

function service(attrs: Record<string, string> = {}, changes: Partial<Service> = {}): Service {
  return {
    id: "host:web:80",
    name: "web",
    ip: "10.0.0.1",
    port: 8000,
    proto: "tcp",
    tags: ["a"],
    attrs,
    ttl: 0,
    exposedPort: "80",
    ...changes,
  };
}

test("a registration, and the same read back from the agent", () => {
  const entry = consulEntry(service({ region: "us2" }), origin);
  expect(entry.payload).toEqual({
    ID: "host:web:80",
    Name: "web",
    Tags: ["a"],
    Port: 8000,
    Address: "10.0.0.1",
    Meta: { region: "us2", ...stamp },
    Check: null,
  });
  const agent = {
    "host:web:80": {
      ID: "host:web:80",
      Service: "web",
      Address: "10.0.0.1",
      Port: 8000,
      Tags: ["a"],
      Meta: { ...stamp, region: "us2" },
    },
  };
  expect(consulEntries(agent)).toMatchObject([{ key: entry.key, owner: "engine-1", fingerprint: entry.fingerprint }]);
  expect(consulEntries({ x: { ID: "x", Service: "by hand", Tags: null } })).toMatchObject([{ key: "x", owner: "" }]);
});

test("what Consul would refuse is left out of Meta; the stamp cannot be forged", () => {
  const attrs = {
    "a.b": "x",
    "": "x",
    long: "x".repeat(513),
    "registrator-engine": "evil",
    ...Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`k${i}`, "v"])),
  };
  const { Meta } = consulEntry(service(attrs), origin).payload;
  expect(Object.keys(Meta)).toHaveLength(64);
  expect(Meta).toMatchObject(stamp);
  expect(Object.keys(Meta).filter((key) => !/^(k\d+|registrator-.*)$/.test(key))).toEqual([]);
});

test.each(["", "a/b", "a?b", "a\nb"])("the ID %p is refused", (id) => {
  expect(() => consulEntry(service({}, { id }), origin)).toThrow("is none that Consul can take out again");
});

describe("checks", () => {
  test.each<[Record<string, string>, object | null]>([
    [{}, null],
    [{ check_initial_status: "passing" }, null],
    [
      { check_http: "/h", check_tcp: "true", check_timeout: "1s", check_http_method: "HEAD" },
      { HTTP: "http://10.0.0.1:8000/h", Timeout: "1s", Method: "HEAD", Interval: "10s" },
    ],
    [
      { check_https: "/h", check_interval: "5s", check_deregister_after: "1m" },
      { HTTP: "https://10.0.0.1:8000/h", Interval: "5s", DeregisterCriticalServiceAfter: "1m" },
    ],
    [{ check_cmd: "x" }, { ScriptArgs: ["check-cmd", "0123456789ab", "80", "x"], Interval: "10s" }],
    [
      { check_script: "nc $SERVICE_IP $SERVICE_PORT" },
      { ScriptArgs: ["/bin/sh", "-c", "nc 10.0.0.1 8000"], Interval: "10s" },
    ],
    [
      { check_ttl: "30s", check_initial_status: "passing" },
      { TTL: "30s", Status: "passing" },
    ],
    [{ check_tcp: "false" }, { TCP: "10.0.0.1:8000", Interval: "10s" }],
    [
      { check_grpc: "true", check_grpc_use_tls: "1", check_tls_skip_verify: "1" },
      { GRPC: "10.0.0.1:8000", GRPCUseTLS: true, TLSSkipVerify: true, Interval: "10s" },
    ],
    [
      { check_grpc: "true", check_tls_skip_verify: "1" },
      { GRPC: "10.0.0.1:8000", Interval: "10s" },
    ],
  ])("%j", (attrs, check) => {
    expect(consulEntry(service(attrs), origin).payload.Check).toEqual(check as never);
  });

  test("IPv6 is bracketed", () => {
    expect(consulEntry(service({ check_http: "/" }, { ip: "fd00::1" }), origin).payload.Check).toMatchObject({
      HTTP: "http://[fd00::1]:8000/",
    });
  });
});
