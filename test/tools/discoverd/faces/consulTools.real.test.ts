import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { silentLogger } from "../../../../lib/cli/logger.ts";
import type { Discoverd } from "../../../../tools/discoverd/index.ts";
import { startRegistrator } from "../../../../tools/registrator/index.ts";
import { openRegistry } from "../../../../tools/registrator/registries/openRegistry.ts";
import { built } from "../../../testbed/build.ts";
import { startConsulTemplate } from "../../../testbed/consulTemplate.ts";
import { Daemon } from "../../../testbed/daemon.ts";
import { scratchDir } from "../../../testbed/scratch.ts";
import { waitFor } from "../../../testbed/waitFor.ts";
import { container, FakeWatcher, network } from "../../registrator/fakes.ts";
import { ask, inMemory } from "./helper.ts";

let discoverd: Discoverd;
let binary: string;
const dir = scratchDir();
beforeAll(async () => {
  binary = join(await built("consul"), "consul");
  discoverd = await inMemory({ consulNode: "n1" });
}, 600_000);
afterAll(async () => {
  await discoverd?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Consul's own command line against ours. */
async function consul(...words: string[]): Promise<{ code: number; out: string }> {
  const child = Bun.spawn([binary, ...words], {
    env: { ...process.env, CONSUL_HTTP_ADDR: discoverd.url.replace("http://", "") },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out: out + err };
}

const register = (body: object) => ask(discoverd.url, "PUT /v1/agent/service/register", body);

test("the consul command: catalog, services, members, watch", async () => {
  expect(
    await consul(
      "services",
      "register",
      "-name=cli",
      "-id=cli-1",
      "-address=10.1.0.1",
      "-port=80",
      "-tag=t",
      "-meta=k=v",
    ),
  ).toMatchObject({ code: 0 });
  expect((await consul("catalog", "services", "-tags")).out).toMatch(/^cli\s+t$/m);
  expect((await consul("catalog", "nodes", "-service", "cli", "-detailed")).out).toMatch(/n1/);
  expect((await consul("catalog", "datacenters")).out).toBe("dc1\n");
  expect((await consul("members")).out).toMatch(/^n1\s.*alive/m);

  const watch = await Daemon.start({
    name: "consul watch",
    argv: [
      binary,
      "watch",
      `-http-addr=${discoverd.url}`,
      "-type=service",
      "-service=cli",
      "sh",
      "-c",
      `cat >> ${dir}/watched; echo >> ${dir}/watched`,
    ],
    logFile: join(dir, "watch.log"),
  });
  const watched = () => readFileSync(join(dir, "watched"), "utf8");
  try {
    await waitFor(() => watched().includes("10.1.0.1"), { what: "the first state" });
    await register({ ID: "cli-2", Name: "cli", Address: "10.1.0.2", Port: 80 });
    await waitFor(() => watched().includes("10.1.0.2"), { what: "the change" });
  } finally {
    await watch.stop();
  }
  expect(await consul("services", "deregister", "-id=cli-1")).toMatchObject({ code: 0 });
  expect(await consul("services", "deregister", "-id=cli-1")).toMatchObject({ code: 1 });
  expect(await consul("services", "deregister", "-id=cli-2")).toMatchObject({ code: 0 });
  expect((await consul("catalog", "services")).out).not.toContain("cli");
}, 60_000);

test("consul-template follows what is healthy", async () => {
  await register({ ID: "t1", Name: "tmpl", Address: "10.2.0.1", Port: 80, Tags: ["blue"] });
  const { output, daemon } = await startConsulTemplate({
    dir,
    consul: discoverd.url.replace("http://", ""),
    template:
      '{{range service "tmpl"}}{{.Address}}:{{.Port}} {{end}}|{{range services}}{{.Name}} {{end}}|{{range service "absent"}}{{.Address}}{{end}}',
  });
  const shows = (text: string) =>
    waitFor(() => readFileSync(output, "utf8") === text, { what: `"${text}"`, deadlineMs: 20_000 });
  try {
    await shows("10.2.0.1:80 |tmpl |");
    await register({ ID: "t2", Name: "tmpl", Address: "10.2.0.2", Port: 80, Check: { TTL: "10m" } });
    await ask(discoverd.url, "PUT /v1/agent/check/pass/service:t2");
    await shows("10.2.0.1:80 10.2.0.2:80 |tmpl |");
    await ask(discoverd.url, "PUT /v1/agent/check/fail/service:t2");
    await shows("10.2.0.1:80 |tmpl |");
    await register({ ID: "a1", Name: "absent", Address: "10.2.0.9", Port: 80 });
    await shows("10.2.0.1:80 |absent tmpl |10.2.0.9");
  } finally {
    await daemon.stop();
    for (const id of ["t1", "t2", "a1"]) await ask(discoverd.url, `PUT /v1/agent/service/deregister/${id}`);
  }
}, 120_000);

test("registrator's Consul registry: registers with checks, and takes out", async () => {
  const opened = await openRegistry(discoverd.url.replace("http://", "consul://"), {
    ttl: 0,
    ttlRefresh: 0,
    log: silentLogger,
  });
  await opened.ping();
  const watcher = new FakeWatcher();
  const registrator = startRegistrator({
    containers: watcher,
    registries: [opened.registry],
    options: { internal: true, hostname: "host" },
    log: silentLogger,
  });
  const web = (n: number, env: string[]) =>
    container({
      id: String(n).padStart(64, "0"),
      name: `web-${n}`,
      env: ["SERVICE_NAME=web", ...env],
      networks: [network("bridge", `172.17.0.${n}`)],
    });
  // By address: either of the two may be registered first.
  const instances = () => (discoverd.discovery.instances("web") ?? []).toSorted((a, b) => a.addr.localeCompare(b.addr));
  const found = () => instances().map(({ addr }) => addr);
  try {
    watcher.set([web(2, ["SERVICE_TAGS=a,b", "SERVICE_CHECK_TTL=30s", "SERVICE_REGION=eu"]), web(3, [])]);
    await waitFor(() => Bun.deepEquals(found(), ["172.17.0.2:80", "172.17.0.3:80"]), { what: "both" });
    const states = () => instances().map(({ state }) => state);
    await waitFor(() => Bun.deepEquals(states(), ["down", undefined]), { what: "a TTL check that nobody passed yet" });
    expect((await ask(discoverd.url, "GET /v1/agent/service/host:web-2:80")).json).toMatchObject({
      Tags: ["a", "b"],
      Meta: { region: "eu" },
    });
    await ask(discoverd.url, "PUT /v1/agent/service/deregister/host:web-3:80");
    await waitFor(() => found().includes("172.17.0.3:80"), {
      what: "what somebody took out to be back",
      deadlineMs: 15_000,
    });
    watcher.set([web(3, [])]);
    await waitFor(() => Bun.deepEquals(found(), ["172.17.0.3:80"]), { what: "web-2 to go" });
    await registrator.close("deregister");
    expect(found()).toEqual([]);
  } finally {
    await registrator.close();
    await opened.close();
  }
}, 60_000);
