import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createDiscoveryClient, instanceId } from "../../../lib/discovery/index.ts";
import { listenTcp } from "../../../lib/runtime/tcp.ts";
import type { RouteDescription } from "../../../tools/ambassadord/api/describeRoute.ts";
import { run } from "../../testbed/command.ts";
import type { Daemon } from "../../testbed/daemon.ts";
import type { RunOptions } from "../../testbed/dockerApi.ts";
import type { EngineKind } from "../../testbed/engine.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const root = `${import.meta.dir}/../../..`;

interface Inspected {
  Id: string;
  State: { Pid: number };
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string; Gateway: string }>;
    Ports: Record<string, { HostPort: string }[] | null>;
  };
}

describe.each(["old", "new"] as EngineKind[])("ambassadord on the %s engine", (engine) => {
  let docker: Docker;
  let image: string;
  let discovery: ReturnType<typeof createDiscoveryClient>;
  let ambassador: Daemon;
  const containers: string[] = [];

  const launch = (...flags: string[]) =>
    docker.host.spawn({
      name: "ambassadord",
      argv: [
        ...[process.execPath, `${root}/tools/ambassadord.ts`, "serve", "--docker", docker.url, "--insecure"],
        ...["--discovery", `http://${docker.host.ip}:1111`, "--listen", `${docker.host.ip}:1112`, ...flags],
      ],
      logFile: `${scratchDir()}/ambassadord.log`,
      ready: async () => (await fetch(`http://${docker.host.ip}:1112/readyz`)).ok,
    });

  beforeAll(async () => {
    docker = await startDocker({ engine });
    image = await busyboxImage(docker);
    await docker.host.spawn({
      name: "discoverd",
      argv: [
        ...[process.execPath, `${root}/tools/discoverd.ts`, "serve", "--store", "memory:"],
        ...["--listen", `${docker.host.ip}:1111`, "--insecure"],
      ],
      logFile: `${scratchDir()}/discoverd.log`,
      ready: async () => (await fetch(`http://${docker.host.ip}:1111/readyz`)).ok,
    });
    discovery = createDiscoveryClient({ url: `http://${docker.host.ip}:1111` });
    ambassador = await launch();
  }, 400_000);

  afterEach(async () => {
    await Promise.all(containers.splice(0).map((id) => docker.api.remove(id)));
    for (const { name } of await discovery.services()) await discovery.removeService(name);
  });

  afterAll(async () => {
    await discovery?.close();
    await docker?.stop();
  }, 60_000);

  async function start(name: string, options: Partial<RunOptions> & { port?: number } = {}) {
    // Where a port is given: answers each connection with its name.
    const { port, ...rest } = options;
    const cmd = port ? ["nc", "-ll", "-p", String(port), "-e", "/bin/echo", name] : ["sleep", "1000"];
    const id = await docker.api.run({ image, name, cmd, ...rest });
    containers.push(id);
    const seen = await docker.api.call<Inspected>("GET", `/containers/${id}/json`);
    const network = Object.values(seen.NetworkSettings.Networks)[0];
    return { id, pid: seen.State.Pid, ip: network?.IPAddress ?? "", gateway: network?.Gateway ?? "", seen };
  }

  async function register(service: string, addr: string): Promise<string> {
    await discovery.addService(service).catch(() => undefined); // it may be there already
    const id = instanceId("tcp", addr);
    await discovery.register(service, { id, proto: "tcp", addr }, { held: true });
    return id;
  }

  async function ask(from: { pid: number }, address: string, port: number): Promise<string> {
    const { stdout } = await run(
      ["nsenter", "-t", String(from.pid), "-n", "busybox", "nc", "-w", "5", address, String(port)],
      { timeoutMs: 15_000 },
    );
    return stdout.trim();
  }

  async function routes(): Promise<RouteDescription[]> {
    return (await (await fetch(`http://${docker.host.ip}:1112/routes`)).json()) as RouteDescription[];
  }

  const route = (caller: string, is: (route: RouteDescription) => boolean) =>
    waitFor(async () => (await routes()).find((one) => one.caller === caller && is(one)), {
      what: `a route of ${caller}`,
    });
  const to =
    (...addresses: string[]) =>
    (one: RouteDescription) =>
      one.backends
        .map(({ address }) => address)
        .sort()
        .join() === addresses.sort().join();

  test("two containers dial the same port and get different services, at any address of the host", async () => {
    const [a, b] = [await start("svc-a", { port: 9000 }), await start("svc-b", { port: 9000 })];
    await register("one", `${a.ip}:9000`);
    await register("two", `${b.ip}:9000`);
    const first = await start("first", { env: { BACKEND_6379: "one" } });
    const second = await start("second", { labels: { "connect.6379": "two.service.consul" } });
    expect(await route("first", to(`${a.ip}:9000`))).toMatchObject({ plane: "kernel", state: "active" });
    await route("second", to(`${b.ip}:9000`));
    for (const address of [first.gateway, docker.host.ip]) {
      expect(await ask(first, address, 6379)).toBe("svc-a");
      expect(await ask(second, address, 6379)).toBe("svc-b");
    }
    expect(await ask(a, a.gateway, 6379)).toBe("");
  });

  test("a service moves while it is called, then one of two backends is killed: no call after it fails", async () => {
    const old = await start("old-redis", { port: 9000 });
    const oldId = await register("redis", `${old.ip}:9000`);
    const client = await start("client", { env: { BACKEND_6379: "redis" } });
    await route("client", to(`${old.ip}:9000`));
    const answers: string[] = [];
    let stop = false;
    const calling = (async () => {
      while (!stop) answers.push(await ask(client, client.gateway, 6379));
    })();
    const moved = await start("new-redis", { port: 9001 });
    await register("redis", `${moved.ip}:9001`);
    await route("client", to(`${old.ip}:9000`, `${moved.ip}:9001`));
    await discovery.deregister("redis", oldId);
    await route("client", to(`${moved.ip}:9001`));
    const movedAt = answers.length;
    await waitFor(() => answers.length > movedAt, { what: "the last call of the old one to end" });
    await docker.api.remove(old.id);
    const twin = await start("twin", { port: 9001 });
    await register("redis", `${twin.ip}:9001`);
    await route("client", to(`${twin.ip}:9001`, `${moved.ip}:9001`));
    await waitFor(() => answers.includes("twin"), { what: "the twin to be called" });
    const beforeKill = answers.length;
    await docker.api.call("POST", `/containers/${moved.id}/kill`);
    const killedAt = answers.length;
    await waitFor(() => answers.length > killedAt + 20, { what: "20 more calls", deadlineMs: 30_000 });
    stop = true;
    await calling;
    // Only a call that had reached it when it died may be lost; none that began after the kill returned.
    const lost = answers.flatMap((answer, index) => (answer === "" ? [index] : []));
    expect(lost.filter((index) => index < beforeKill || index > killedAt)).toEqual([]);
    expect(lost.length).toBeLessThanOrEqual(1);
    expect(answers.slice(killedAt + 1).every((answer) => answer === "twin")).toBe(true);
  }, 90_000);

  test("a published port is its container's own, a far place goes through the host, other networks through user space", async () => {
    const web = await start("web", { port: 9000, ports: { "9000/tcp": 0 } });
    const published = web.seen.NetworkSettings.Ports["9000/tcp"]?.[0]?.HostPort ?? "";
    await register("web", `${docker.host.ip}:${published}`);
    const far = await listenTcp({ hostname: docker.host.ip.replace(/\d+$/, "254"), port: 0 }, (socket) => {
      socket.write(new TextEncoder().encode("far"));
      socket.end();
      socket.resume();
    });
    await docker.api.call("POST", "/networks/create", { Name: "shop", Driver: "bridge", CheckDuplicate: true });
    await docker.api.call("POST", "/networks/create", {
      Name: "inner",
      Driver: "bridge",
      Internal: true,
      CheckDuplicate: true,
    });
    const env = { BACKEND_80: "web", BACKEND_81: `${docker.host.ip.replace(/\d+$/, "254")}:${far.port}` };
    const near = await start("near", { env });
    const shopper = await start("shopper", { env, hostConfig: { NetworkMode: "shop" } });
    const inside = await start("inside", { env, hostConfig: { NetworkMode: "inner" } });

    expect(await route("near", (one) => one.port === 80 && to(`${web.ip}:9000`)(one))).toMatchObject({
      plane: "kernel",
    });
    expect(await route("near", (one) => one.port === 81)).toMatchObject({ plane: "kernel", state: "active" });
    const across = await route("shopper", (one) => one.port === 80);
    expect(across).toMatchObject({ plane: "socket", why: expect.stringContaining("different Docker networks") });
    expect(await route("shopper", (one) => one.port === 81)).toMatchObject({ plane: "kernel" });
    expect(await route("inside", (one) => one.port === 81)).toMatchObject({
      plane: "socket",
      why: expect.stringContaining("internal"),
    });

    const innerGateway = `${inside.ip.slice(0, inside.ip.lastIndexOf("."))}.1`;
    // docker0's address is what --add-host NAME:host-gateway gives, whatever the network.
    for (const [from, addresses] of [
      [near, [near.gateway]],
      [shopper, [shopper.gateway, near.gateway]],
      [inside, [innerGateway]],
    ] as const)
      for (const address of addresses) {
        expect(await ask(from, address, 80)).toBe("web");
        expect(await ask(from, address, 81)).toBe("far");
      }
    far.stop();
    await Promise.all(containers.splice(0).map((id) => docker.api.remove(id)));
    for (const name of ["shop", "inner"]) await docker.api.call("DELETE", `/networks/${name}`);
  }, 60_000);

  test("garbage in one container is refused with its reasons, and others go on", async () => {
    const a = await start("svc", { port: 9000 });
    await register("one", `${a.ip}:9000`);
    await start("bad", {
      env: { BACKEND_0: "one", BACKEND_http: "one", BACKEND_80: "consul://x/y", BACKEND_81: "" },
      labels: { "connect[82]": "\u0007" },
    });
    await start("hosty", { env: { BACKEND_80: "one" }, hostConfig: { NetworkMode: "host" } });
    const good = await start("good", { env: { BACKEND_80: "one" } });
    await route("good", to(`${a.ip}:9000`));
    expect(await ask(good, good.gateway, 80)).toBe("svc");
    const refused = await waitFor(
      async () => {
        const all = (await routes()).filter(({ state }) => state === "refused");
        return all.length === 6 ? all : undefined;
      },
      { what: "six refusals" },
    );
    const why = refused.map(({ why }) => why).join("\n");
    for (const words of [
      '"0" is not a port',
      '"http" is not a port',
      "consul:// is not supported",
      "names nothing",
      "control characters",
      "host's network",
    ])
      expect(why).toContain(words);
    const said = await fetch(`http://${docker.host.ip}:1112/explain?caller=good&port=81`);
    expect(await said.text()).toStartWith("good does not ask for port 81");
  });

  test("with no backend a connect is refused at once, also where the host itself listens", async () => {
    const caller = await start("caller", { env: { BACKEND_1111: "nobody" } });
    const applied = await route("caller", ({ state }) => state === "no_backends");
    expect(applied.why).toContain("service nobody has no instances");
    const begun = performance.now();
    expect(await ask(caller, caller.gateway, 1111)).toBe("");
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  test("a second ambassador on the host says who holds it, and ends with 3", async () => {
    const { code, stderr } = await docker.host.exec([
      ...[process.execPath, `${root}/tools/ambassadord.ts`, "serve", "--docker", docker.url, "--listen", "127.0.0.1:0"],
    ]);
    expect(stderr).toContain(`another ambassador (pid ${ambassador.pid}) keeps the routes of this host`);
    expect(code).toBe(3);
    const { stdout } = await docker.host.exec([
      ...[
        process.execPath,
        `${root}/tools/ambassadord.ts`,
        "routes",
        "--json",
        "--api",
        `http://${docker.host.ip}:1112`,
      ],
    ]);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  test("kill -9: the kernel's routes stay, and the next start takes them over", async () => {
    const a = await start("svc-k", { port: 9000 });
    await register("one", `${a.ip}:9000`);
    const caller = await start("keeps", { env: { BACKEND_80: "one" } });
    await route("keeps", to(`${a.ip}:9000`));
    await ambassador.kill();
    expect(await ask(caller, caller.gateway, 80)).toBe("svc-k");
    const begun = ambassador.start();
    let tries = 0;
    let started = false;
    void begun.finally(() => {
      started = true;
    });
    for (; !started || tries < 10; tries++) expect(await ask(caller, caller.gateway, 80)).toBe("svc-k");
    await begun;
    await route("keeps", to(`${a.ip}:9000`));
    expect(await ask(caller, caller.gateway, 80)).toBe("svc-k");
  }, 30_000);

  test("SIGTERM leaves nothing in the kernel; in user space alone the same routes are served", async () => {
    const a = await start("svc-u", { port: 9000 });
    await register("one", `${a.ip}:9000`);
    const caller = await start("user", { env: { BACKEND_80: "one" } });
    await route("user", ({ plane }) => plane === "kernel");
    await ambassador.stop();
    expect((await docker.host.exec(["nft", "list", "tables"])).stdout).not.toContain("quayside");
    ambassador = await launch("--plane", "socket");
    expect(await route("user", to(`${a.ip}:9000`))).toMatchObject({
      plane: "socket",
      why: expect.stringContaining("--plane socket"),
    });
    expect(await ask(caller, caller.gateway, 80)).toBe("svc-u");
  }, 30_000);
});
