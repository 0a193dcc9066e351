import { describe, expect, test } from "bun:test";
import { consulEntries, consulEntry } from "../../../tools/registrator/registries/consul/consulEntry.ts";
import { shellSplit } from "../../../tools/registrator/registries/consul/shellSplit.ts";
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
  expect(entry.payload.registration).toEqual({
    ID: "host:web:80",
    Name: "web",
    Tags: ["a"],
    Port: 8000,
    Address: "10.0.0.1",
    Meta: { region: "us2", ...stamp },
    Check: null,
    Checks: null,
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
  const { Meta = {} } = consulEntry(service(attrs), origin).payload.registration;
  expect(Object.keys(Meta)).toHaveLength(64);
  expect(Meta).toMatchObject(stamp);
  expect(Object.keys(Meta).filter((key) => !/^(k\d+|a_b|registrator-.*)$/.test(key))).toEqual([]);
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
    [{ check_script: "nc $SERVICE_IP $SERVICE_PORT" }, { ScriptArgs: ["nc", "10.0.0.1", "8000"], Interval: "10s" }],
    [
      { check_ttl: "30s", check_initial_status: "passing" },
      { TTL: "30s", Status: "passing" },
    ],
    [{ check_tcp: "false" }, null],
    [{ check_tcp: "true" }, { TCP: "10.0.0.1:8000", Interval: "10s" }],
    [
      { check_grpc: "true", check_grpc_use_tls: "1", check_tls_skip_verify: "1" },
      { GRPC: "10.0.0.1:8000", GRPCUseTLS: true, TLSSkipVerify: true, Interval: "10s" },
    ],
    [
      { check_grpc: "/health.v1", check_grpc_use_tls: "false" },
      { GRPC: "10.0.0.1:8000/health.v1", GRPCUseTLS: false, Interval: "10s" },
    ],
    [{ check_udp: "1" }, { UDP: "10.0.0.1:8000", Interval: "10s" }],
    [
      { check_tcp: "1", check_tcp_use_tls: "1", check_tls_server_name: "web" },
      { TCP: "10.0.0.1:8000", TCPUseTLS: true, TLSServerName: "web", Interval: "10s" },
    ],
    [
      { check_h2ping: "1", check_h2ping_use_tls: "false" },
      { H2PING: "10.0.0.1:8000", H2PingUseTLS: false, Interval: "10s" },
    ],
    [
      { check_docker: "/bin/test -e '/tmp/a b'", check_shell: "/bin/ash" },
      {
        DockerContainerID: "0123456789abcdef",
        Shell: "/bin/ash",
        ScriptArgs: ["/bin/test", "-e", "/tmp/a b"],
        Interval: "10s",
      },
    ],
    [
      { check_alias: "db", check_alias_node: "n2" },
      { AliasService: "db", AliasNode: "n2" },
    ],
    [{ check_os_service: "nginx" }, { OSService: "nginx", Interval: "10s" }],
    [
      {
        check_http: "h",
        check_header: "Host: a,X-Y: 1\\,2,X-Y: 3,broken",
        check_method: "POST",
        check_body: "{}",
        check_disable_redirects: "1",
        check_name: "n",
        check_notes: "why",
        check_success_before_passing: "2",
        check_failures_before_warning: "1",
        check_failures_before_critical: "3",
        check_output_max_size: "x",
      },
      {
        HTTP: "http://10.0.0.1:8000/h",
        Header: { Host: ["a"], "X-Y": ["1,2", "3"] },
        Method: "POST",
        Body: "{}",
        DisableRedirects: true,
        Name: "n",
        Notes: "why",
        SuccessBeforePassing: 2,
        FailuresBeforeWarning: 1,
        FailuresBeforeCritical: 3,
        Interval: "10s",
      },
    ],
    [{ check_script: "echo 'x" }, null],
  ])("%j", (attrs, check) => {
    expect(consulEntry(service(attrs), origin).payload.registration.Check).toEqual(check as never);
  });

  test("IPv6 is bracketed", () => {
    expect(
      consulEntry(service({ check_http: "/" }, { ip: "fd00::1" }), origin).payload.registration.Check,
    ).toMatchObject({
      HTTP: "http://[fd00::1]:8000/",
    });
  });

  test("several: by number, with what the one without a number says for all", () => {
    const attrs = {
      check_interval: "3s",
      check_2_tcp: "1",
      check_1_http: "/a",
      check_1_interval: "5s",
      check_10_ttl: "1m",
      check_x_http: "/no",
    };
    const { Check, Checks } = consulEntry(service(attrs), origin).payload.registration;
    expect(Check).toBeNull();
    expect(Checks).toEqual([
      { CheckID: "service:host:web:80:1", HTTP: "http://10.0.0.1:8000/a", Interval: "5s" },
      { CheckID: "service:host:web:80:2", TCP: "10.0.0.1:8000", Interval: "3s" },
      { CheckID: "service:host:web:80:10", TTL: "1m" },
    ]);
  });

  test("$SERVICE_IP stays in its word", () => {
    const attrs = { check_script: `curl "http://$SERVICE_IP:$SERVICE_PORT/x y"` };
    expect(consulEntry(service(attrs, { ip: "10.0.0.1 ; rm" }), origin).payload.registration.Check).toMatchObject({
      ScriptArgs: ["curl", "http://10.0.0.1 ; rm:8000/x y"],
    });
  });
});

describe("states", () => {
  const health = (state: "passing" | "critical" | "maintenance", output = "") => ({ health: { state, output } });

  test("Docker's health is a check of its own, and alone it leaves the registration as it is", () => {
    const well = consulEntry(service({ check_tcp: "1" }, health("passing")), origin);
    const ill = consulEntry(service({ check_tcp: "1" }, health("critical", "refused")), origin);
    expect(well.payload.registration.Checks).toMatchObject([
      { TCP: "10.0.0.1:8000" },
      { CheckID: "registrator-health:host:web:80", Status: "passing" },
    ]);
    expect(ill.payload.standing).toBe(well.payload.standing);
    expect(ill.fingerprint).not.toBe(well.fingerprint);
    expect(ill.payload).toMatchObject({ state: "critical", output: "refused" });
    const other = consulEntry(service({ check_tcp: "1" }, health("critical", "still refused")), origin);
    expect(other.fingerprint).toBe(ill.fingerprint);
  });

  test("read back from the agent; the operator's own maintenance is not ours", () => {
    const read = (state: "critical" | "maintenance", checks: object) => {
      const entry = consulEntry(service({}, health(state)), origin);
      const { ID, Name, Tags, Port, Address, Meta } = entry.payload.registration;
      const [back] = consulEntries({ [ID]: { ID, Service: Name, Tags, Port, Address, Meta } }, checks);
      return back?.fingerprint === entry.fingerprint;
    };
    const check = { "registrator-health:host:web:80": { Status: "critical" } };
    const maintenance = (Notes: string) => ({ "_service_maintenance:host:web:80": { Status: "critical", Notes } });
    expect(read("critical", check)).toBe(true);
    expect(read("critical", {})).toBe(false);
    expect(read("maintenance", maintenance("registrator: it is paused"))).toBe(true);
    expect(read("maintenance", maintenance("by hand"))).toBe(false);
  });

  test("a sidecar, which bears our stamp, is not ours to take out", () => {
    const { Meta } = consulEntry(service(), origin).payload.registration;
    expect(consulEntries({ x: { Kind: "connect-proxy", ID: "x", Service: "web-sidecar-proxy", Meta } })).toEqual([]);
  });
});

test("weights, tag override, tagged addresses and Connect; a change of them is seen", () => {
  const attrs = {
    weight_passing: "10",
    enable_tag_override: "true",
    connect_sidecar: "true",
    connect_sidecar_port: "21000",
    connect_upstreams: "db:5432,cache:x",
  };
  const addresses = { lan: { ip: "10.0.0.1", port: 80 }, lan_ipv6: { ip: "fd00::1", port: 80 } };
  const entry = consulEntry(service(attrs, { addresses }), origin);
  expect(entry.payload.registration).toMatchObject({
    Weights: { Passing: 10, Warning: 1 },
    EnableTagOverride: true,
    TaggedAddresses: { lan: { Address: "10.0.0.1", Port: 80 }, lan_ipv6: { Address: "fd00::1", Port: 80 } },
    Connect: {
      SidecarService: { Port: 21_000, Proxy: { Upstreams: [{ DestinationName: "db", LocalBindPort: 5432 }] } },
    },
  });
  expect(entry.warnings).toEqual([`SERVICE_CONNECT_UPSTREAMS: "cache:x" is no NAME:PORT`]);
  const { ID, Name, Port, Address, Meta } = entry.payload.registration;
  const agent = { [ID]: { ID, Service: Name, Tags: ["theirs"], EnableTagOverride: true, Port, Address, Meta } };
  expect(consulEntries(agent)[0]?.fingerprint).toBe(entry.fingerprint);
  const moved = { ...addresses, lan_ipv6: { ip: "fd00::2", port: 80 } };
  expect(consulEntry(service(attrs, { addresses: moved }), origin).fingerprint).not.toBe(entry.fingerprint);
  expect(consulEntry(service(attrs, { addresses, tags: ["b"] }), origin).fingerprint).not.toBe(entry.fingerprint);
});

test("keys that Consul refuses are mapped, or left out with a warning", () => {
  const attrs = { "a.b": "1", "a.c": "2", a_c: "3", "consul-x": "4", ä: "5", long: "x".repeat(513) };
  const { payload, warnings } = consulEntry(service(attrs), origin);
  expect(payload.registration.Meta).toEqual({ a_b: "1", a_c: "3", consul_x: "4", _: "5", ...stamp });
  expect(warnings?.map((text) => text.split(" ").slice(0, 4).join(" "))).toEqual([
    'the attribute "a.b" is',
    'the attribute "a.c" is',
    'the attribute "consul-x" is',
    'the attribute "long" is',
    'the attribute "ä" is',
  ]);
});

describe("--compat", () => {
  const compat = (attrs: Record<string, string>, changes: Partial<Service> = {}) =>
    JSON.stringify(consulEntry(service(attrs, changes), origin, { compat: true }).payload.registration);

  test.each<[string, string]>([
    [
      compat({ region: "us2", check_http: "/h" }, { id: "host:web:80", tags: ["b", "a"] }),
      '{"ID":"host:web:80","Name":"web","Tags":["b","a"],"Port":8000,"Address":"10.0.0.1","Meta":{"check_http":"/h","region":"us2"},"Check":{"HTTP":"http://10.0.0.1:8000/h","Interval":"10s"},"Checks":null}',
    ],
    [compat({}, { tags: [], port: 0, ip: "" }), '{"ID":"host:web:80","Name":"web","Check":null,"Checks":null}'],
    [
      compat({ check_script: "nc $SERVICE_IP $SERVICE_PORT" }, { tags: [] }),
      '{"ID":"host:web:80","Name":"web","Port":8000,"Address":"10.0.0.1","Meta":{"check_script":"nc $SERVICE_IP $SERVICE_PORT"},"Check":{"ScriptArgs":["nc 10.0.0.1 8000"],"Interval":"10s"},"Checks":null}',
    ],
    [
      compat({ check_tcp: "false" }, { tags: [], ip: "fd00::1" }),
      '{"ID":"host:web:80","Name":"web","Port":8000,"Address":"fd00::1","Meta":{"check_tcp":"false"},"Check":{"TCP":"fd00::1:8000","Interval":"10s"},"Checks":null}',
    ],
    [
      compat({ check_grpc: "1", check_tls_skip_verify: "1" }, { tags: [] }),
      '{"ID":"host:web:80","Name":"web","Port":8000,"Address":"10.0.0.1","Meta":{"check_grpc":"1","check_tls_skip_verify":"1"},"Check":{"GRPC":"10.0.0.1:8000","Interval":"10s"},"Checks":null}',
    ],
  ])("the original's body: %s", (body, expected) => expect(body).toBe(expected));

  test("looks like the original's own entry in the agent, which is taken over", () => {
    const entry = consulEntry(service({ region: "us2" }), origin, { compat: true });
    const agent = { ID: "host:web:80", Service: "web", Tags: ["a"], Port: 8000, Address: "10.0.0.1" };
    const [back] = consulEntries({ x: { ...agent, Meta: { region: "us2" } } });
    expect(back).toMatchObject({ owner: "", fingerprint: entry.fingerprint });
    expect(back?.looks).toBe(entry.looks as string);
    expect(consulEntry(service({ region: "us2" }), origin).looks).toBe(entry.looks);
  });
});

test.each<[string, string[] | undefined]>([
  ["", []],
  ["  a  b ", ["a", "b"]],
  [`a "b c"'d e'f`, ["a", "b cd ef"]],
  [`"a \\"b\\" \\c $d"`, ['a "b" \\c $d']],
  ["a\\ b ''", ["a b", ""]],
  ["'a", undefined],
  [`"a\\"`, undefined],
  ["a\\", undefined],
])("shellSplit(%p) is %p", (text, words) => expect(shellSplit(text)).toEqual(words));
