import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Instance } from "../../../../lib/discovery/discovery.ts";
import type { Container, ContainerNetwork } from "../../../../lib/docker/containers.ts";
import { asksOf, mostAsks } from "../../../../tools/ambassadord/routes/asksOf.ts";
import { LocalBackends } from "../../../../tools/ambassadord/routes/localBackends.ts";
import { parseSpec } from "../../../../tools/ambassadord/routes/parseSpec.ts";
import { routesOf } from "../../../../tools/ambassadord/routes/routesOf.ts";

const host = {
  isLocal: (ip: string) => ["172.17.0.1", "172.18.0.1", "192.0.2.1"].includes(ip),
  inSubnetOf: (ip: string) => (ip.startsWith("172.19.0.") ? "172.19.0.1" : ""),
};
const localAddresses = new Set(["172.17.0.1", "172.18.0.1", "192.0.2.1", "127.0.0.1"]);

function on(network: string, ipv4: string, gateway: string): ContainerNetwork {
  return {
    name: network,
    networkId: `${network}-id`,
    ipv4,
    ipv4PrefixLength: 16,
    ipv6: "",
    ipv6PrefixLength: 0,
    gateway,
    macAddress: "",
    aliases: [],
  };
}

const onBridge = (byte: number) => on("bridge", `172.17.0.${byte}`, "172.17.0.1");

function container(name: string, change: Partial<Container> = {}): Container {
  return {
    id: `${name}-id`,
    name,
    image: "i",
    hostname: name,
    env: [],
    labels: {},
    exposedPorts: [],
    networkMode: "default",
    ports: [],
    networks: [onBridge(2)],
    state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
    pid: 1,
    createdAt: "",
    startedAt: "",
    ...change,
  };
}

function routes(
  containers: Container[],
  services: Record<string, Partial<Instance>[]> = {},
  local = new LocalBackends(),
) {
  local.update(containers, localAddresses);
  return routesOf({
    containers,
    instances: (name) =>
      (services[name] ?? []).map((one, index) => ({ id: `i${index}`, addr: "", proto: "tcp", ...one })),
    local,
    resolve: (name) => (name === "db.example" ? ["198.51.100.5"] : []),
    host,
    network: (id) => ({ internal: false, isolated: id === "lonely-id" }),
  });
}

describe("parseSpec", () => {
  test.each(["web", "web.discoverd", "web.service.consul", "web.services.consul", "WEB.", " web "])(
    "%j is service web",
    (text) => {
      expect(parseSpec(text)).toEqual({ kind: "service", service: "web" });
    },
  );

  test.each([
    ["10.0.0.1:6379", [{ host: "10.0.0.1", port: 6379 }]],
    ["redis.example.com:6379", [{ host: "redis.example.com", port: 6379 }]],
    [
      "a:1,b.c:2",
      [
        { host: "a", port: 1 },
        { host: "b.c", port: 2 },
      ],
    ],
    ["[fd00::1]:80", [{ host: "fd00::1", port: 80 }]],
  ])("%j is static", (text, endpoints) => {
    expect(parseSpec(text)).toEqual({ kind: "static", endpoints });
  });

  test.each([
    ["", "names nothing"],
    ["consul://c:8500/x", "consul://"],
    ["etcd://127.0.0.1:4001/path", "etcd://"],
    ["db.example.com", "without a port"],
    ["a:0", "no valid port"],
    ["a:65536", "no valid port"],
    ["a:http", "not host:port"],
    ["10.0.0.300:80", "no valid host"],
    ["1:2:3", "not host:port"],
    ["we b", "control characters"],
    ["web\n", ""],
    ["a:1,", "not host:port"],
    ["-_-", "not a service name"],
    ["x".repeat(5000), "longer than"],
    [Array(300).fill("a:1").join(), "256 at most"],
  ])("%j is refused or harmless: %s", (text, why) => {
    const spec = parseSpec(text);
    if (why === "") expect(spec).toEqual({ kind: "service", service: "web" });
    else expect(spec).toEqual({ kind: "refused", why: expect.stringContaining(why) });
  });
});

describe("asksOf", () => {
  test("every form of asking", () => {
    const asks = asksOf({
      env: ["BACKEND_80=web", "backend_81=web", "CONNECT_82=web", "PATH=/bin", "NOBACKEND_1=x"],
      labels: { "connect.83": "web", "connect[84]": "web", "connect.53/udp": "dns", "disconnect.1": "x" },
    });
    expect(asks.map(({ proto, port }) => `${port}/${proto}`)).toEqual([
      "80/tcp",
      "81/tcp",
      "82/tcp",
      "83/tcp",
      "84/tcp",
      "53/udp",
    ]);
  });

  test("the first one of a port holds; the same again is no matter, another is refused", () => {
    const asks = asksOf({ env: ["BACKEND_80=web", "CONNECT_80=web"], labels: { "connect.80": "other" } });
    expect(asks.map(({ source, spec }) => [source, spec.kind])).toEqual([
      ["env BACKEND_80", "service"],
      ["label connect.80", "refused"],
    ]);
  });

  test("10,000 asks: the first 256 are read, the rest is one refusal", () => {
    const asks = asksOf({ env: Array.from({ length: 10_000 }, (_, i) => `BACKEND_${i + 1}=web`), labels: {} });
    expect(asks.length).toBe(mostAsks + 1);
    expect(asks.at(-1)?.spec).toMatchObject({ kind: "refused", why: expect.stringContaining("9744 more") });
  });
});

describe("routesOf", () => {
  test("a caller's ask becomes a route to the service's instances", () => {
    const { routes: found } = routes(
      [container("client", { env: ["BACKEND_80=web"] }), container("web", { networks: [onBridge(3)] })],
      { web: [{ addr: "172.17.0.3:8080" }, { addr: "198.51.100.7:8080", meta: { weight: "5" } }, { addr: "junk" }] },
    );
    expect(found).toEqual([
      {
        id: "client-id/tcp/80",
        caller: { name: "client", addresses: [{ ip: "172.17.0.2", networkId: "bridge-id", gateway: "172.17.0.1" }] },
        proto: "tcp",
        port: 80,
        target: "web",
        backends: [
          { id: "i0", ip: "172.17.0.3", port: 8080, weight: 1, networkId: "bridge-id" },
          { id: "i1", ip: "198.51.100.7", port: 8080, weight: 5 },
        ],
        needs: {},
      },
    ]);
  });

  test("a port that a local container publishes is that container's own, on the caller's network where it is on it", () => {
    const web = container("web", {
      networks: [onBridge(3), on("shop", "172.18.0.3", "172.18.0.1")],
      ports: [{ port: "80/tcp", hostIp: "0.0.0.0", hostPort: "32768" }],
    });
    const client = container("client", { env: ["BACKEND_80=web"], networks: [on("shop", "172.18.0.2", "172.18.0.1")] });
    const { routes: found } = routes([client, web], { web: [{ addr: "192.0.2.1:32768" }] });
    expect(found[0]?.backends).toMatchObject([{ ip: "172.18.0.3", port: 80, networkId: "shop-id" }]);
  });

  test("a backend whose container died, is paused or was removed is left out at once", () => {
    const client = container("client", { env: ["BACKEND_80=web"] });
    const web = container("web", {
      networks: [onBridge(3)],
      ports: [{ port: "80/tcp", hostIp: "", hostPort: "32768" }],
    });
    const services = { web: [{ addr: "172.17.0.3:80" }, { addr: "192.0.2.1:32768" }] };
    const local = new LocalBackends();
    expect(routes([client, web], services, local).routes[0]?.backends).toHaveLength(1);
    const paused = { ...web, state: { ...web.state, paused: true } };
    expect(routes([client, paused], services, local).routes[0]?.backends).toEqual([]);
    const dead = {
      ...web,
      networks: [on("bridge", "", "")],
      state: { ...web.state, running: false, status: "exited" as const },
    };
    const after = routes([client, dead], services, local);
    expect(after.routes[0]?.backends).toEqual([]);
    expect(after.notes.get("client-id/tcp/80")?.[0]).toContain("container web does not run");
    expect(routes([client], services, local).routes[0]?.backends).toEqual([]);
    // The address is another container's now.
    const heir = container("heir", { networks: [onBridge(3)] });
    expect(routes([client, heir], services, local).routes[0]?.backends).toHaveLength(1);
  });

  test("who has no address of its own is refused, and one that does not run asks nothing", () => {
    const env = ["BACKEND_80=web"];
    const { routes: found, refused } = routes([
      container("host", { env, networkMode: "host", networks: [] }),
      container("shares", { env, networkMode: "container:abc", networks: [] }),
      container("far", { env, networks: [on("macvlan", "10.5.0.2", "10.5.0.1")] }),
      container("off", { env, state: { ...container("x").state, running: false } }),
    ]);
    expect(found).toEqual([]);
    expect(refused.map(({ route, why }) => [route.caller.name, why.split(": ")[1]])).toEqual([
      ["host", "the container is on the host's network and has no address of its own"],
      ["shares", "the container shares another one's network and address"],
      ["far", "network macvlan does not lead through this host (its gateway is not an address of ours)"],
    ]);
  });

  test("a network without a way out has the host's own address on it", () => {
    const client = container("client", { env: ["BACKEND_80=10.0.0.1:80"], networks: [on("inner", "172.19.0.2", "")] });
    expect(routes([client]).routes[0]?.caller.addresses).toMatchObject([{ gateway: "172.19.0.1", internal: true }]);
  });

  test("a network whose containers may not talk to each other is marked", () => {
    const client = container("client", {
      env: ["BACKEND_80=web"],
      networks: [on("lonely", "172.18.0.2", "172.18.0.1")],
    });
    expect(routes([client]).routes[0]?.caller.addresses[0]?.isolated).toBe(true);
  });

  test("static places, with names that resolve or not", () => {
    const {
      routes: found,
      hostNames,
      notes,
    } = routes([container("client", { env: ["BACKEND_80=10.0.0.1:80,db.example:81,gone.example:82,10.0.0.1:80"] })]);
    expect(found[0]?.backends.map(({ ip, port }) => `${ip}:${port}`)).toEqual(["10.0.0.1:80", "198.51.100.5:81"]);
    expect([...hostNames].sort()).toEqual(["db.example", "gone.example"]);
    expect(notes.get("client-id/tcp/80")?.[0]).toContain("gone.example:82 is left out");
  });

  test("hostile env, labels and instances never throw and never touch another's routes", () => {
    const good = container("good", { env: ["BACKEND_80=web"] });
    const expected = routes([good], { web: [{ addr: "198.51.100.7:80" }] }).routes;
    const word = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.constantFrom("web", "a:1", "80", "0", "65536", "http", "consul://x/y"),
    );
    const name = fc.oneof(
      word,
      word.map((text) => `BACKEND_${text}`),
      fc.integer({ min: -1, max: 70_000 }).map((n) => `backend_${n}`),
    );
    const env = fc.array(
      fc.tuple(name, word).map(([key, value]) => `${key}=${value}`),
      { maxLength: 20 },
    );
    const labels = fc.dictionary(
      fc.oneof(
        word.map((text) => `connect.${text}`),
        word.map((text) => `connect[${text}]`),
      ),
      word,
      { maxKeys: 10 },
    );
    fc.assert(
      fc.property(env, labels, word, fc.array(word), (badEnv, badLabels, badName, addrs) => {
        const bad = container("bad", {
          id: "bad",
          name: badName,
          env: badEnv,
          labels: badLabels,
          networks: [onBridge(9)],
        });
        const services = { web: [{ addr: "198.51.100.7:80" }, ...addrs.map((addr) => ({ addr: `${addr}:x` }))] };
        const all = routes([bad, good], services);
        expect(all.routes.filter(({ id }) => id.startsWith("good"))).toEqual(expected);
        const ids = [...all.routes.map(({ id }) => id), ...all.refused.map(({ route }) => route.id)];
        expect(new Set(ids).size).toBe(ids.length);
        for (const { port } of all.routes) expect(port >= 1 && port <= 65_535).toBe(true);
        const shown = all.refused.map(({ why, route }) => why + route.target + route.caller.name).join("");
        expect([...shown].filter((letter) => letter < " ")).toEqual([]);
      }),
    );
  });
});
