import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Container } from "../../../lib/docker/containers.ts";
import { discoveryEntry, discoveryName } from "../../../tools/registrator/registries/discovery/discoveryEntry.ts";
import { EntryRefused } from "../../../tools/registrator/registries/registry.ts";
import { parseFilter } from "../../../tools/registrator/services/filter.ts";
import type { ServicesOptions } from "../../../tools/registrator/services/service.ts";
import { servicesOf } from "../../../tools/registrator/services/servicesOf.ts";
import { joinTags, splitTags } from "../../../tools/registrator/services/tags.ts";
import { container, network } from "./fakes.ts";

const options: ServicesOptions = { hostname: "host", hostIp: "10.0.0.9" };
const internal: ServicesOptions = { ...options, internal: true };

function published(...pairs: [string, string, string?][]): Partial<Container> {
  const ports = pairs.map(([port, hostPort, hostIp = "0.0.0.0"]) => ({ port, hostPort, hostIp }));
  return { exposedPorts: pairs.map(([port]) => port), ports };
}

/** "id name ip:port proto tags" of each service, and "port: why" of what is left out. */
function brief(from: Container, given: ServicesOptions, others: Container[] = []) {
  const { services, ignored } = servicesOf(from, given, (id) => others.find((other) => other.id === id));
  return [
    services.map(({ id, name, ip, port, proto, tags }) =>
      `${id} ${name} ${ip}:${port} ${proto} ${tags.join("|")}`.trim(),
    ),
    ignored.map(({ port, why }) => `${port}: ${why}`),
  ];
}

describe("servicesOf, by default", () => {
  test.each<[string, Partial<Container>, ServicesOptions, string[], string[]]>([
    ["a published port", published(["80/tcp", "8000"]), options, ["host:web-1:80 web 10.0.0.9:8000 tcp"], []],
    [
      "tags in their order",
      { ...published(["80/tcp", "8000"]), env: ["SERVICE_TAGS=a,b"] },
      { ...options, forceTags: "c,d" },
      ["host:web-1:80 web 10.0.0.9:8000 tcp a|b|c|d"],
      [],
    ],
    [
      "a digest is no part of the name",
      { ...published(["80/tcp", "1"]), image: "reg:5000/team/app:1@sha256:abcd" },
      options,
      ["host:web-1:80 app 10.0.0.9:1 tcp"],
      [],
    ],
    [
      "an image known by its id alone: the container's name",
      { ...published(["80/tcp", "1"]), image: `sha256:${"a".repeat(64)}` },
      options,
      ["host:web-1:80 web-1 10.0.0.9:1 tcp"],
      [],
    ],
    ["not published", {}, options, [], ["80/tcp: not published on the host"]],
    ["no ports", { exposedPorts: [], ports: [] }, options, [], [": no exposed or published ports"]],
    [
      "exposed only, without a network: nothing can reach it",
      { ports: [], networkMode: "none", networks: [network("none", "")] },
      options,
      [],
      ["80/tcp: not published on the host"],
    ],
    [
      "host mode: exposed is published",
      { ports: [], networkMode: "host" },
      options,
      ["host:web-1:80 web 10.0.0.9:80 tcp"],
      [],
    ],
    [
      "a user network: the host's address with the host's port",
      { ...published(["80/tcp", "8000"]), networkMode: "net", networks: [network("net", "10.5.0.7")] },
      options,
      ["host:web-1:80 web 10.0.0.9:8000 tcp"],
      [],
    ],
    [
      "several bindings: IPv4 before IPv6",
      published(["80/tcp", "8001", "::"], ["80/tcp", "8000"]),
      options,
      ["host:web-1:80 web 10.0.0.9:8000 tcp"],
      [],
    ],
    [
      "a binding's own address",
      published(["80/tcp", "1", "10.1.2.3"]),
      { hostname: "host" },
      ["host:web-1:80 web 10.1.2.3:1 tcp"],
      [],
    ],
    [
      "the host name's address",
      published(["80/tcp", "1", "::"]),
      { hostname: "host", hostnameIp: "10.0.0.8" },
      ["host:web-1:80 web 10.0.0.8:1 tcp"],
      [],
    ],
    [
      "no address known",
      published(["80/tcp", "1"]),
      { hostname: "host" },
      [],
      ['80/tcp: the host\'s address is not known: "host" does not resolve; give -ip'],
    ],
    [
      "IGNORE=false is not ignored",
      { ...published(["80/tcp", "1"]), env: ["SERVICE_IGNORE=false"] },
      options,
      ["host:web-1:80 web 10.0.0.9:1 tcp"],
      [],
    ],
    [
      "IGNORE of one port",
      { ...published(["80/tcp", "1"], ["81/tcp", "2"]), labels: { SERVICE_81_IGNORE: "x" } },
      options,
      ["host:web-1:80 web-80 10.0.0.9:1 tcp"],
      ["81/tcp: SERVICE_IGNORE is set"],
    ],
    [
      "explicit",
      { ...published(["80/tcp", "1"], ["81/tcp", "2"]), env: ["SERVICE_81_NAME=api"] },
      { ...options, explicit: true },
      ["host:web-1:81 api 10.0.0.9:2 tcp"],
      ["80/tcp: no SERVICE_NAME, and -explicit asks for one"],
    ],
    [
      "one SERVICE_ID on two ports",
      { ...published(["80/tcp", "1"], ["80/udp", "2"]), env: ["SERVICE_ID=x"] },
      options,
      ["x:80:udp web-80 10.0.0.9:2 udp udp", "x:80 web-80 10.0.0.9:1 tcp"],
      [],
    ],
    [
      "a port range is no port",
      published(["9300-9302/tcp", "9300-9302"]),
      options,
      [],
      ["9300-9302/tcp: not a port number"],
    ],
    ["internal", {}, internal, ["host:web-1:80 web 172.17.0.2:80 tcp"], []],
    [
      "internal, the mode's network",
      { networkMode: "net", networks: [network("a", "10.1.0.1"), network("net", "10.2.0.1")] },
      internal,
      ["host:web-1:80 web 10.2.0.1:80 tcp"],
      [],
    ],
    [
      "internal, several networks: the first by name",
      { networks: [network("a", "10.1.0.1"), network("b", "10.2.0.1")] },
      internal,
      ["host:web-1:80 web 10.1.0.1:80 tcp"],
      [],
    ],
    [
      "internal, the network that was asked for",
      { networks: [network("a", "10.1.0.1"), network("b", "10.2.0.1")] },
      { ...internal, network: "b" },
      ["host:web-1:80 web 10.2.0.1:80 tcp"],
      [],
    ],
    ["internal, not on that network", {}, { ...internal, network: "b" }, [], ["80/tcp: no address on network b"]],
    [
      "internal, IPv6 alone",
      { networks: [network("net", "", "fd00::7")] },
      internal,
      ["host:web-1:80 web fd00::7:80 tcp"],
      [],
    ],
    ["internal, no address yet", { networks: [] }, internal, [], ["80/tcp: the container has no address of its own"]],
    [
      "internal in host mode: the host's",
      { networkMode: "host", networks: [network("host", "")] },
      internal,
      ["host:web-1:80 web 10.0.0.9:80 tcp"],
      [],
    ],
    [
      "an address from a label",
      { labels: { ip: "fd00::5/64" } },
      { ...internal, ipLabel: "ip" },
      ["host:web-1:80 web fd00::5:80 tcp"],
      [],
    ],
    [
      "garbage in that label",
      { labels: { ip: "x y" } },
      { ...internal, ipLabel: "ip" },
      [],
      ['80/tcp: label ip gives no IP address: "x y"'],
    ],
    ["sctp is said", published(["80/sctp", "1"]), options, ["host:web-1:80:sctp web 10.0.0.9:1 sctp sctp"], []],
  ])("%s", (_, changes, given, services, ignored) => {
    expect(brief(container(changes), given)).toEqual([services, ignored]);
  });

  test("container: mode takes the other's address and published ports", () => {
    const infra = container({
      id: "i".repeat(64),
      ...published(["80/tcp", "8000"]),
      networks: [network("bridge", "172.17.0.9")],
    });
    const joined = container({ networkMode: `container:${infra.id}`, networks: [], ports: [] });
    expect(brief(joined, options, [infra])[0]).toEqual(["host:web-1:80 web 10.0.0.9:8000 tcp"]);
    expect(brief(joined, internal, [infra])[0]).toEqual(["host:web-1:80 web 172.17.0.9:80 tcp"]);
    expect(brief(joined, internal)).toEqual([
      [],
      [": it shares the network of container iiiiiiiiiiii, which is not there"],
    ]);
  });

  test("attributes: what is left of SERVICE_*, port-specific first", () => {
    const { services } = servicesOf(
      container({ env: ["SERVICE_80_REGION=a", "SERVICE_REGION=b", "SERVICE_X=1"], labels: { SERVICE_X: "2" } }),
      internal,
    );
    expect(services[0]?.attrs).toEqual({ region: "a", x: "2" });
  });
});

describe("what the original had not", () => {
  const dual = { networkMode: "net", networks: [network("net", "10.2.0.1", "fd00::1"), network("z", "10.3.0.1")] };
  test.each<[string, Partial<Container>, ServicesOptions, string[], string[]]>([
    [
      "several names on one port",
      { env: ["SERVICE_NAME=web,api\\,v1"] },
      internal,
      ["host:web-1:80:api,v1 api,v1 172.17.0.2:80 tcp", "host:web-1:80 web 172.17.0.2:80 tcp"],
      [],
    ],
    [
      "all bindings of a port",
      published(["80/tcp", "8000"], ["80/tcp", "8001"], ["80/tcp", "8000", "::"]),
      options,
      ["host:web-1:80:8001 web 10.0.0.9:8001 tcp", "host:web-1:80 web 10.0.0.9:8000 tcp"],
      [],
    ],
    [
      "or the first",
      published(["80/tcp", "8000"], ["80/tcp", "8001"]),
      { ...options, bindings: "first" },
      ["host:web-1:80 web 10.0.0.9:8000 tcp"],
      [],
    ],
    [
      "a range's keys, a protocol's keys: the narrower wins",
      {
        exposedPorts: ["52/udp", "53/tcp", "53/udp", "61/tcp"],
        ports: [],
        env: ["SERVICE_53_udp_NAME=dns", "SERVICE_50-60_NAME=range", "SERVICE_53_NAME=tcp", "SERVICE_60-50_NAME=none"],
      },
      internal,
      [
        "host:web-1:52:udp range 172.17.0.2:52 udp udp",
        "host:web-1:53:udp dns 172.17.0.2:53 udp udp",
        "host:web-1:53 tcp 172.17.0.2:53 tcp",
        "host:web-1:61 web-61 172.17.0.2:61 tcp",
      ],
      [],
    ],
    [
      "SERVICE_IP and SERVICE_PORT",
      { env: ["SERVICE_IP=192.0.2.1", "SERVICE_PORT=99"] },
      options,
      ["host:web-1:80 web 192.0.2.1:99 tcp"],
      [],
    ],
    ["SERVICE_IP is none", { env: ["SERVICE_IP=x"] }, internal, [], ['80/tcp: SERVICE_IP gives no IP address: "x"']],
    ["SERVICE_PORT is none", { env: ["SERVICE_PORT=0"] }, internal, [], ["80/tcp: SERVICE_PORT is not a port number"]],
    ["SERVICE_INTERNAL", { env: ["SERVICE_INTERNAL=true"] }, options, ["host:web-1:80 web 172.17.0.2:80 tcp"], []],
    [
      "a network by subnet",
      dual,
      { ...internal, network: "x, 10.3.0.0/16" },
      ["host:web-1:80 web 10.3.0.1:80 tcp"],
      [],
    ],
    ["by IPv6 subnet", dual, { ...internal, network: "fd00::/8" }, ["host:web-1:80 web 10.2.0.1:80 tcp"], []],
    [
      "by the container's label",
      { ...dual, labels: { "net.of": "z" } },
      { ...internal, network: "label:net.of" },
      ["host:web-1:80 web 10.3.0.1:80 tcp"],
      [],
    ],
    ["SERVICE_NETWORK", { ...dual, env: ["SERVICE_NETWORK=z"] }, internal, ["host:web-1:80 web 10.3.0.1:80 tcp"], []],
    ["IPv6 first", dual, { ...internal, family: "ipv6" }, ["host:web-1:80 web fd00::1:80 tcp"], []],
    [
      "Swarm's own network comes last",
      { networkMode: "default", networks: [network("ingress", "10.0.0.3"), network("mesh", "10.0.1.3")] },
      internal,
      ["host:web-1:80 web 10.0.1.3:80 tcp"],
      [],
    ],
    [
      "no ports, but SERVICE_PORT",
      { exposedPorts: [], ports: [], env: ["SERVICE_PORT=9000", "SERVICE_PROTO=udp"] },
      internal,
      ["host:web-1:9000:udp web 172.17.0.2:9000 udp udp"],
      [],
    ],
    [
      "no ports, by wish",
      { exposedPorts: [], ports: [], env: ["SERVICE_PORTLESS=true"] },
      internal,
      ["host:web-1 web 172.17.0.2:0 tcp"],
      [],
    ],
    [
      "opt-in",
      { exposedPorts: ["80/tcp", "81/tcp"], ports: [], labels: { SERVICE_81_REGISTER: "true" } },
      { ...internal, optIn: true },
      ["host:web-1:81 web-81 172.17.0.2:81 tcp"],
      ["80/tcp: no SERVICE_REGISTER=true, and -opt-in asks for it"],
    ],
    ["opt-out", { env: ["SERVICE_REGISTER=no"] }, internal, [], ["80/tcp: SERVICE_REGISTER is no"]],
    ["a filter", {}, { ...internal, filter: parseFilter('name == "x"') }, [], [': -filter leaves it out: name == "x"']],
    [
      "ill, and -unhealthy remove",
      { state: { ...container().state, health: "unhealthy" } },
      { ...internal, unhealthy: "remove" },
      [],
      [": its health check says unhealthy, and -unhealthy remove"],
    ],
    [
      "told to end, and -stopping remove",
      { stopping: { signal: 2, at: 1 } },
      { ...internal, stopping: "remove" },
      [],
      [": it was told to end by signal 2, and -stopping remove"],
    ],
  ])("%s", (_, changes, given, services, ignored) => {
    expect(brief(container(changes), given)).toEqual([services, ignored]);
  });

  const first = (changes: Partial<Container>, given: ServicesOptions) =>
    servicesOf(container(changes), given).services[0];

  test("tagged addresses", () => {
    expect(first({}, internal)?.addresses).toBeUndefined();
    const [v4, v6] = [
      { ip: "10.2.0.1", port: 80 },
      { ip: "fd00::1", port: 80 },
    ];
    expect(first(dual, internal)?.addresses).toEqual({ lan: v4, lan_ipv4: v4, lan_ipv6: v6 });
    const bound = published(["80/tcp", "8000"], ["80/tcp", "8001", "::"]);
    expect(first(bound, { ...options, hostIp6: "fd00::9", wanIp: "203.0.113.1" })?.addresses).toEqual({
      lan: { ip: "10.0.0.9", port: 8000 },
      lan_ipv4: { ip: "10.0.0.9", port: 8000 },
      lan_ipv6: { ip: "fd00::9", port: 8001 },
      wan: { ip: "203.0.113.1", port: 8000 },
      wan_ipv4: { ip: "203.0.113.1", port: 8000 },
    });
    expect(first({ env: ["SERVICE_IPV6=fd00::7"] }, internal)?.addresses?.lan_ipv6).toEqual({
      ip: "fd00::7",
      port: 80,
    });
  });

  test("health", () => {
    const { state } = container();
    const of = (changes: Partial<Container>, given: Partial<ServicesOptions> = {}) =>
      first(changes, { ...internal, ...given })?.health;
    expect(of({})).toBeUndefined();
    expect(of({ state: { ...state, health: "healthy", healthOutput: "ok" } })).toEqual({
      state: "passing",
      output: "ok",
    });
    expect(of({ state: { ...state, health: "starting" } })?.state).toBe("warning");
    expect(of({ state: { ...state, health: "unhealthy", healthOutput: "no" } })).toEqual({
      state: "critical",
      output: "no",
    });
    expect(of({ state: { ...state, paused: true, health: "healthy" } })).toEqual({
      state: "maintenance",
      output: "it is paused",
      checked: "passing",
    });
    expect(of({ state: { ...state, paused: true } }, { paused: "keep" })).toBeUndefined();
    expect(of({ stopping: { signal: 15, at: 1 } })?.state).toBe("draining");
  });

  test("who asks for too much gets a part, quickly", () => {
    const ports = Array.from({ length: 60_000 }, (_, i) => `${i + 1}/tcp`);
    const env = [...Array.from({ length: 2000 }, (_, i) => `SERVICE_K${i}=${"v".repeat(100)}`), "SERVICE_TAGS=a,b"];
    const began = performance.now();
    const { services, ignored } = servicesOf(container({ exposedPorts: ports, ports: [], env }), internal);
    expect(services.length).toBeLessThan(100);
    expect(ignored[0]?.why).toMatch(/^it asks for too much: \d+ of its 60000 ports are left out$/);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe("tags", () => {
  test.each<[string, string[]]>([
    ["", []],
    ["foobar", ["foobar"]],
    ["foo,bar", ["foo", "bar"]],
    ["foo\\,bar", ["foo,bar"]],
    ["foo,bar\\,baz", ["foo", "bar,baz"]],
    ["\\,foobar\\,", [",foobar,"]],
    [",,,,foo,,,bar,,,", ["foo", "bar"]],
    [",,,,", []],
    [",,\\,,", [","]],
    ["\\\\,a", ["\\,a"]],
  ])("%p", (text, tags) => expect(splitTags(text)).toEqual(tags));

  test("joinTags is the opposite", () => {
    const tag = fc.stringMatching(/^[a-z, ]{1,9}$/);
    fc.assert(fc.property(fc.array(tag), (tags) => expect(splitTags(joinTags(tags))).toEqual(tags)));
  });
});

describe("hostile containers", () => {
  const key = fc.oneof(
    fc.constantFrom(
      "SERVICE_NAME",
      "SERVICE_TAGS",
      "SERVICE_ID",
      "SERVICE_80_NAME",
      "SERVICE_IGNORE",
      "SERVICE_",
      "SERVICE___PROTO__",
      "SERVICE_DOCKER.ENGINE",
      "SERVICE_CONSTRUCTOR",
      "ip",
    ),
    fc.string({ unit: "binary" }).map((text) => `SERVICE_${text}`),
    fc.string({ unit: "binary" }),
  );
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.constantFrom("\ud800", "a\0b", ",".repeat(5000), "../..", "x".repeat(10_000)),
  );
  const port = fc.oneof(
    fc.constantFrom("80/tcp", "80/udp", "0/tcp", "99999/tcp", "9300-9302/tcp", "/", "", "80/tcp/x"),
    fc.string(),
  );
  const hostile = fc
    .record({
      name: fc.string({ unit: "binary" }),
      image: value,
      env: fc.array(
        fc.oneof(
          fc.tuple(key, value).map(([k, v]) => `${k}=${v}`),
          value,
        ),
        { maxLength: 12 },
      ),
      labels: fc.dictionary(key, value, { maxKeys: 8 }),
      exposedPorts: fc.array(port, { maxLength: 4 }),
      ports: fc.array(
        fc.record({ port, hostIp: value, hostPort: fc.oneof(fc.constantFrom("8000", "", "-1", "1e3"), value) }),
        { maxLength: 4 },
      ),
      networkMode: fc.oneof(fc.constantFrom("bridge", "host", "none", "container:x", "container:"), value),
      networks: fc.array(
        fc.tuple(value, value).map(([name, ip]) => network(name, ip)),
        { maxLength: 3 },
      ),
    })
    .map((changes) => container(changes as Partial<Container>));

  test("never throw; what comes out is within discovery's bounds and keeps the owner's stamp", () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), fc.boolean(), (from, compat, inside) => {
        const origin = { owner: "engine-1", containerId: from.id, containerName: from.name };
        for (const service of servicesOf(from, { ...options, compat, internal: inside, ipLabel: "ip" }).services) {
          try {
            const { payload, owner, service: name } = discoveryEntry(service, origin);
            expect(owner).toBe("engine-1");
            expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
            const meta = Object.entries(payload.instance.meta ?? {});
            expect(meta.length).toBeLessThanOrEqual(70);
            for (const [k, v] of meta) {
              expect(k.length).toBeLessThanOrEqual(128);
              expect(v).not.toMatch(/\p{Cc}/u);
            }
          } catch (error) {
            if (!(error instanceof EntryRefused)) throw error;
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("reserved keys win; __proto__ poisons nothing", () => {
    const env = [
      "SERVICE_DOCKER.ENGINE=evil",
      "SERVICE_DOCKER.CONTAINER=evil",
      "SERVICE___PROTO__=evil",
      "SERVICE_80_TAGS=a",
      "SERVICE_80_ID=mine",
    ];
    const [service] = servicesOf(container({ env }), internal).services;
    if (!service) throw new Error("no service");
    const { payload } = discoveryEntry(service, { owner: "engine-1", containerId: "c1", containerName: "web-1" });
    expect(payload.instance.meta).toEqual({
      "docker.engine": "engine-1",
      "docker.container": "c1",
      "docker.name": "web-1",
      id: "mine",
      tags: "a",
    });
    expect(({} as Record<string, unknown>).evil).toBeUndefined();
  });
});

test.each([
  ["web", "web"],
  ["My_App.v2", "my-app-v2"],
  ["--a--", "a"],
  ["ÄÖ", ""],
  ["", ""],
  ["x".repeat(100), "x".repeat(63)],
])("discoveryName(%p) is %p", (name, expected) => {
  expect(discoveryName(name)).toBe(expected);
});
