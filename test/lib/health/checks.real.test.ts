import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDockerClient } from "../../../lib/docker/createDockerClient.ts";
import type { CheckDefinition } from "../../../lib/health/checkDefinition.ts";
import { createProbe } from "../../../lib/health/createProbe.ts";
import { startMonitor } from "../../../lib/health/startMonitor.ts";
import { Daemon } from "../../testbed/daemon.ts";
import { type Etcd, startEtcd } from "../../testbed/etcd.ts";
import { freePort } from "../../testbed/freePort.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

/** What a check sees, once. */
function look(check: CheckDefinition, addr: string, docker?: Docker) {
  const client = docker && createDockerClient({ host: docker.url });
  const probe = createProbe(check, { addr, ...(client ? { docker: async () => client } : {}) });
  if (!probe) throw new Error("no probe");
  return probe(AbortSignal.timeout(5000));
}

describe("nginx", () => {
  let nginx: Daemon;
  let port = 0;
  let tlsPort = 0;
  beforeAll(async () => {
    const dir = scratchDir();
    [port, tlsPort] = [await freePort(), await freePort()];
    mkdirSync(join(dir, "logs"));
    for (const name of ["a.test", "b.test"]) {
      Bun.spawnSync(
        [
          ...[
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
          ],
          ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
          ...["-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.pem`)],
        ],
        { stdio: ["ignore", "ignore", "ignore"] },
      );
    }
    const servers = ["a.test", "b.test"].map(
      (name) => `server { listen 127.0.0.1:${port}; listen 127.0.0.1:${tlsPort} ssl; server_name ${name};
        ssl_certificate ${dir}/${name}.pem; ssl_certificate_key ${dir}/${name}.key;
        location / { return 200 "I am ${name} by $ssl_server_name"; } location /down { return 503; } }`,
    );
    const conf = join(dir, "nginx.conf");
    writeFileSync(
      conf,
      `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/logs/error.log; events {}
       http { access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
       uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s; ${servers.join("\n")} }`,
    );
    nginx = await Daemon.start({
      name: "nginx",
      argv: ["nginx", "-c", conf],
      logFile: join(dir, "nginx.log"),
      ready: async () => (await fetch(`http://127.0.0.1:${port}/`)).ok,
    });
  }, 60_000);
  afterAll(() => nginx?.stop(), 20_000);

  test("tcp, http by name, https by SNI; down and up again when it is killed and comes back", async () => {
    const addr = `127.0.0.1:${port}`;
    expect(await look({ type: "tcp" }, addr)).toMatchObject({ outcome: "pass" });
    expect(await look({ type: "http", host: "b.test", match: "I am b.test" }, addr)).toMatchObject({ outcome: "pass" });
    expect(await look({ type: "http", host: "a.test", match: "I am b.test" }, addr)).toMatchObject({ outcome: "fail" });
    expect(await look({ type: "http", path: "/down" }, addr)).toMatchObject({ outcome: "fail" });
    const secure = { type: "http", url: `https://127.0.0.1:${tlsPort}/`, skip_verify: true } as const;
    const asked = await look({ ...secure, host: "b.test" }, addr);
    expect(asked).toMatchObject({ outcome: "pass", output: "HTTP 200\nI am b.test by b.test" });
    expect(look({ ...secure, host: "b.test", skip_verify: false }, addr)).rejects.toThrow(/self.signed/i);

    const check = { type: "tcp", interval_ms: 50 } as const;
    const seen: string[] = [];
    const monitor = startMonitor(check, {
      probe: createProbe(check, { addr }),
      onResult: (state, before) => state.status !== before.status && seen.push(state.status),
    });
    await waitFor(() => monitor.state.status === "up", { what: "up" });
    await nginx.kill();
    await waitFor(() => monitor.state.status === "down", { what: "down" });
    await nginx.start();
    await waitFor(() => monitor.state.status === "up", { what: "up again" });
    monitor.stop();
    expect(seen).toEqual(["up", "down", "up"]);
  }, 60_000);
});

describe("grpc: etcd's health service", () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  }, 600_000);
  afterAll(() => etcd?.stop(), 20_000);

  test("serving, of an unknown service, and gone", async () => {
    const addr = new URL(etcd.nodes[0]?.url ?? "").host;
    expect(await look({ type: "grpc" }, addr)).toEqual({ outcome: "pass", output: "SERVING" });
    const unknown = await look({ type: "grpc", service: "no.such.Service" }, addr);
    expect(unknown).toMatchObject({ outcome: "fail", output: expect.stringContaining("unknown service") });
    await etcd.nodes[0]?.daemon.kill();
    expect(look({ type: "grpc" }, addr)).rejects.toThrow();
  }, 60_000);
});

describe.each(["old", "new"] as const)("docker exec on the %s engine", (kind) => {
  let docker: Docker;
  beforeAll(async () => {
    docker = await startDocker({ engine: kind });
    await busyboxImage(docker);
  }, 600_000);
  afterAll(() => docker?.stop(), 60_000);

  test("exit codes and output; a late one is not started twice; a stopped container fails", async () => {
    const client = createDockerClient({ host: docker.url });
    const id = await client.createContainer({ name: "checked", image: "testbed/busybox:1", command: ["sleep", "600"] });
    await client.startContainer(id);
    const exec = (script: string) =>
      look({ type: "docker", container: "checked", command: ["sh", "-c", script] }, "", docker);
    expect(await exec("echo fine; echo also >&2")).toMatchObject({ outcome: "pass" });
    expect((await exec("echo fine; echo also >&2")).output).toContain("also");
    expect(await exec("echo hm; exit 1")).toEqual({ outcome: "warn", output: "hm" });
    expect(await exec("exit 7")).toEqual({ outcome: "fail", output: "exit 7" });
    const user = { type: "docker", container: "checked", command: ["id", "-u"], user: "1000" } as const;
    expect(await look(user, "", docker)).toEqual({ outcome: "pass", output: "1000" });

    const slow = { type: "docker", container: "checked", command: ["sleep", "3"] } as const;
    const probe = createProbe(slow, { addr: "", docker: async () => client });
    expect(probe?.(AbortSignal.timeout(500))).rejects.toThrow();
    await waitFor(async () => (await exec("ps | grep -c '[s]leep 3$'")).output === "1", { what: "the late program" });
    expect(await probe?.(AbortSignal.timeout(2000))).toMatchObject({
      output: "the program of the last look still runs",
    });
    expect((await exec("ps | grep -c '[s]leep 3$'")).output).toBe("1");
    await waitFor(async () => (await probe?.(AbortSignal.timeout(5000)))?.outcome === "pass", {
      what: "the next one to be started when the late one has ended",
      deadlineMs: 20_000,
    });

    await client.stopContainer(id, { graceSeconds: 0 });
    expect(exec("true")).rejects.toThrow(/not running/);
    expect(look({ type: "docker", container: "nobody", command: ["true"] }, "", docker)).rejects.toThrow(/No such/);
  }, 60_000);
});
