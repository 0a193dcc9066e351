import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { binary, meshUp, type RunningMesh } from "./runningMesh.ts";

/** What users see of `consulate up` when something around it breaks. */
describe("consulate up and its faults", () => {
  let docker: Docker;
  let image: string;
  let mesh: RunningMesh | undefined;
  beforeAll(async () => {
    docker = await startDocker({ engine: "old" });
    image = await busyboxImage(docker);
  });
  afterEach(async () => {
    await mesh?.daemon.stop();
    mesh = undefined;
    await docker.api.killAll();
    await docker.api.call("POST", "/containers/prune");
  });
  afterAll(async () => {
    await docker?.stop();
  });

  const web = (name: string, more: { env?: Record<string, string>; labels?: Record<string, string> } = {}) =>
    docker.api.run({
      image,
      name,
      cmd: ["nc", "-ll", "-p", "80", "-e", "hostname"],
      ports: { "80/tcp": 0 },
      hostConfig: { Init: true, PortBindings: {} },
      ...more,
      env: { SERVICE_NAME: "web", ...more.env },
    });
  const instancesOf = (status: Awaited<ReturnType<RunningMesh["status"]>>, service: string) =>
    status.services.find(({ name }) => name === service)?.instances ?? [];

  test("the second one says who holds the host, and ends with 3", async () => {
    mesh = await meshUp(docker.host, ["--store", "memory:", "--docker", docker.url]);
    const second = await docker.host.exec([binary, "up", "--store", "memory:", "--listen", "127.0.0.1:2222"]);
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(`process ${mesh.daemon.pid}`);
    expect(second.stderr.trim().split("\n")).toHaveLength(1);
    await mesh.until("the first one to be ready, as if nothing had been", ({ ready }) => ready);
  });

  test("Docker's socket is absent, appears, goes away with the engine, and comes back", async () => {
    const socket = join(scratchDir(), "docker.sock");
    mesh = await meshUp(docker.host, ["--store", "memory:", "--docker", `unix://${socket}`]);
    const first = await mesh.until("a status that says what is missing", ({ docker, ready }) => !ready && docker);
    expect(first.connected).toBe(false);
    expect(first.reason).toContain(socket);
    expect((await fetch(`${mesh.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${mesh.url}/healthz`)).status).toBe(200);

    symlinkSync(docker.socket, socket);
    await mesh.until("the engine to be found", ({ ready, dns }) => ready && dns);
    await web("web-1");
    await mesh.until("web-1 to be registered", (status) => instancesOf(status, "web").length === 1);

    await docker.dockerd.kill();
    const gone = await mesh.until("the loss to be told", (status) => !status.docker.connected && status);
    expect(gone.docker.reason).toBeTruthy();
    expect(instancesOf(gone, "web")).toHaveLength(1); // the last known state goes on
    await docker.dockerd.start();
    await web("web-2");
    const back = await mesh.until("what runs now, and only that", (status) => {
      const names = instancesOf(status, "web").map(({ container }) => container);
      return status.ready && names.length === 1 && names[0] === "web-2" && status;
    });
    expect(back.docker.connected).toBe(true);
    rmSync(socket);
  });

  test("a container with garbage in its environment and labels harms only itself", async () => {
    mesh = await meshUp(docker.host, ["--store", "memory:", "--docker", docker.url]);
    await web("good", { env: { BACKEND_6379: "web" } });
    await web("hostile", {
      env: {
        BACKEND_0: "web",
        BACKEND_99999: "web",
        BACKEND_http: "web",
        BACKEND_80: "\u001b[2Jredis://\u0007",
        BACKEND_81: "gopher://example/x",
        BACKEND_82: "",
        SERVICE_NAME: "../../etc/passwd\u0007",
        SERVICE_80_ID: "x".repeat(5000),
        ...Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`BACKEND_${20000 + i}`, "web"])),
      },
      labels: { "connect.83": "a,,b", SERVICE_TAGS: "{{.Broken" },
    });
    const status = await mesh.until("both to be looked at", (seen) => {
      const both = ["good", "hostile"].every((name) => seen.routes.some(({ caller }) => caller === name));
      return both && instancesOf(seen, "web").length > 0 && seen;
    });
    const good = status.routes.find(({ caller }) => caller === "good");
    expect(good?.state).toBe("active");
    const refused = status.routes.filter(({ caller, state }) => caller === "hostile" && state === "refused");
    expect(refused.length).toBeGreaterThanOrEqual(4);
    for (const { why } of refused) expect(why.length).toBeGreaterThan(5);
    expect(JSON.stringify(status)).not.toContain("\\u001b");
    expect((await mesh.status()).ready).toBe(true);
  });

  test("etcd is not there at the start, comes, and goes: it says so, and reads go on", async () => {
    const dir = scratchDir();
    mesh = await meshUp(docker.host, ["--store", "etcd://127.0.0.1:23790", "--docker", docker.url]);
    const first = await mesh.until("a status that names the store", (status) => !status.ready && status);
    expect(first.store.stale).toBe(true);
    expect(first.reason).toContain("store");
    const etcd = await docker.host.spawn({
      name: "etcd",
      argv: [
        ...["etcd", "--data-dir", join(dir, "etcd"), "--listen-client-urls", "http://127.0.0.1:23790"],
        ...["--advertise-client-urls", "http://127.0.0.1:23790", "--listen-peer-urls", "http://127.0.0.1:23800"],
        ...[
          "--initial-advertise-peer-urls",
          "http://127.0.0.1:23800",
          "--initial-cluster",
          "default=http://127.0.0.1:23800",
        ],
      ],
      logFile: join(dir, "etcd.log"),
    });
    await mesh.until("the store to be found", ({ ready }) => ready, 30_000);
    await web("web-1");
    await mesh.until("web-1 to be registered", (status) => instancesOf(status, "web").length === 1);

    await etcd.kill();
    const stale = await mesh.until("the store's loss to be told", (status) => status.store.stale && status, 30_000);
    expect(stale.store.reason).toBeTruthy();
    expect(instancesOf(stale, "web")).toHaveLength(1);
    const read = await fetch(`${mesh.url}/services/web/instances`);
    expect(read.status).toBe(200);
    expect(read.headers.get("discoverd-stale")).toMatch(/^\d+$/);
    await etcd.start();
    await mesh.until("the store to be current again", ({ store }) => !store.stale, 30_000);
    expect(instancesOf(await mesh.status(), "web")).toHaveLength(1);
  });

  test("SIGTERM takes away rules and registrations, and ends with 0; kill -9 is mended by the next start", async () => {
    mesh = await meshUp(docker.host, ["--store", "memory:", "--docker", docker.url]);
    await web("web-1", { env: { BACKEND_6379: "web" } });
    await mesh.until("the route", ({ routes }) => routes.some(({ state }) => state === "active"));
    await mesh.daemon.kill();
    await mesh.daemon.start();
    await mesh.until("the route again", ({ routes }) => routes.some(({ state }) => state === "active"));
    const answer = await waitFor(
      async () => {
        const { Id } = await docker.api.call<{ Id: string }>("POST", "/containers/web-1/exec", {
          Cmd: ["sh", "-c", "nc 172.31.0.1 6379 < /dev/null"],
          AttachStdout: true,
          Tty: true,
        });
        return await docker.api.call<string>("POST", `/exec/${Id}/start`, { Detach: false, Tty: true });
      },
      { what: "web-1 to reach its own service through the ambassador" },
    );
    expect(answer.trim()).toMatch(/^[0-9a-f]{12}$/);
    await mesh.daemon.stop();
    expect(readFileSync(mesh.logFile, "utf8")).toContain("stopping");
    const tables = await docker.host.exec(["nft", "list", "tables"]);
    expect(tables.stdout).not.toContain("quayside");
    mesh = undefined;
  });
});

describe("consulate's command line", () => {
  test.each([
    [["up", "--listen", "127.0.0.1:99999"], "99999"],
    [["up", "--dns", "nowhere"], "nowhere"],
    [["up", "--store", "redis://x"], "redis"],
    [["up", "--plane", "fast"], "fast"],
    [["up", "--docker", "ftp://x"], "ftp"],
    [["up", "--advertise", "host-1"], "host-1"],
    [["up", "--stroe", "memory:"], "--stroe"],
    [["down"], "down"],
  ])("%j ends with 2 and one line that names it", async (args, named) => {
    const child = Bun.spawn([binary, ...args], { stdout: "pipe", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    expect(await child.exited).toBe(2);
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(said).toContain(named);
  });
});
