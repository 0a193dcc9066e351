import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Consul, startConsul } from "../../testbed/consul.ts";
import { freePort } from "../../testbed/freePort.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { scratchDir } from "../../testbed/scratch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const tool = join(import.meta.dir, "../../../tools/registrator.ts");
let docker: Docker;
let consul: Consul;
let image: string;
let uri: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  [docker, consul] = await Promise.all([startDocker({ engine: "old" }), startConsul()]);
  image = await busyboxImage(docker);
  uri = consul.url.replace("http:", "consul:");
}, 180_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await consul?.stop();
  await docker?.stop();
}, 60_000);

function start(...words: string[]) {
  const child = spawn(process.execPath, [tool, ...words], {
    env: { PATH: process.env.PATH ?? "", DOCKER_HOST: docker.url },
  });
  children.push(child);
  const run = { child, out: "", err: "", ended: new Promise<number | null>((resolve) => child.once("close", resolve)) };
  child.stdout.on("data", (bytes: Buffer) => {
    run.out += bytes.toString();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    run.err += bytes.toString();
  });
  return run;
}

async function finished(...words: string[]) {
  const run = start(...words);
  return { code: await run.ended, out: run.out, err: run.err };
}

const web = (name: string) =>
  docker.api.run({ image, name, cmd: ["sleep", "600"], env: { SERVICE_NAME: "web" }, ports: { "80/tcp": 0 } });
const there = async () =>
  Object.values((await (await fetch(`${consul.url}/v1/agent/services`)).json()) as Record<string, { ID: string }>)
    .map(({ ID }) => ID.split(":")[1])
    .sort();

test("sync --once writes what plan tells, once, and ends; list shows it, by owner and of several registries", async () => {
  await web("web-1");
  const first = await finished("sync", "--once", "-internal", "--json", uri);
  expect(first.err).not.toContain("error");
  expect(first.code).toBe(0);
  expect(JSON.parse(first.out)).toMatchObject([{ action: "registered", service: "web", container: "web-1" }]);
  expect(await there()).toEqual(["web-1"]);
  const again = await finished("sync", "--once", "-internal", uri);
  expect(again).toMatchObject({ code: 0, out: "nothing: the registry is as Docker is\n" });

  const [entry] = JSON.parse((await finished("list", "--json", uri)).out);
  expect(entry).toMatchObject({
    registry: uri,
    service: "web",
    container: "web-1",
    id: expect.stringContaining(":web-1:80"),
  });
  expect(JSON.parse((await finished("list", "--json", "-owner", "somebody", uri)).out)).toEqual([]);
  expect(JSON.parse((await finished("list", "--json", "-registry", uri, uri)).out)).toHaveLength(2);

  expect((await finished("sync", uri)).code).toBe(2);
  const port = await freePort();
  const away = await finished("sync", "--once", "-timeout", "500ms", `consul://127.0.0.1:${port}`);
  expect(away.code).toBe(1);
  expect(away.err).toContain("not all is written");
  await docker.api.remove("web-1");
  expect((await finished("sync", "--once", "-internal", uri)).code).toBe(0);
  expect(await there()).toEqual([]);
}, 120_000);

test("-listen: the API of the daemon tells of a real container, with its lag; events go on after the last id", async () => {
  const port = await freePort();
  const daemon = start("-internal", "-listen", `127.0.0.1:${port}`, uri);
  const ask = async (path: string, init?: RequestInit) => await fetch(`http://127.0.0.1:${port}${path}`, init);
  await waitFor(async () => (await ask("/readyz")).status === 200, { what: "it to be ready", deadlineMs: 30_000 });
  const id = await web("web-2");
  const items = await waitFor(
    async () => {
      const { items } = (await (await ask("/services?state=registered")).json()) as { items: object[] };
      return items.length > 0 && items;
    },
    { what: "web-2 to be registered" },
  );
  expect(items).toMatchObject([{ registry: "consul", service: "web", container: "web-2", containerId: id }]);
  expect(await (await ask("/explain/web-2")).json()).toMatchObject({
    id,
    registries: [{ services: [{ Name: "web", Port: 80, State: "registered" }] }],
  });
  expect(await (await ask("/plan")).json()).toEqual([{ registry: "consul", synced: true, steps: [] }]);
  const metrics = await (await ask("/metrics")).text();
  expect(metrics).toContain('registrator_docker_events_total{action="start"} 1');
  expect(metrics).toContain('registrator_lag_seconds_count{registry="consul",kind="registered"} 1');

  const stream = await ask("/events?since=unknown");
  const reader = stream.body?.getReader();
  let text = "";
  await docker.api.remove("web-2");
  while (reader && !text.includes("event: deregistered")) text += new TextDecoder().decode((await reader.read()).value);
  await reader?.cancel();
  expect(text).toContain("event: gap");
  expect(text).toMatch(/^id: \S+-\d+$/m);

  const taken = start("-internal", "-listen", `127.0.0.1:${port}`, uri);
  expect(await taken.ended).toBe(1);
  expect(taken.err).toContain("-listen");
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
}, 120_000);

test("beyond loopback only with a token, which is then asked for", async () => {
  const open = await finished("-listen", "0.0.0.0:1113", uri);
  expect(open.code).toBe(2);
  expect(open.err).toContain("--token-file");
  const file = join(scratchDir(), "token");
  writeFileSync(file, "a-long-enough-token\n");
  const port = await freePort();
  const daemon = start("-internal", "-listen", `127.0.0.1:${port}`, "-token-file", file, uri);
  const status = async (headers: Record<string, string>) =>
    (await fetch(`http://127.0.0.1:${port}/status`, { headers })).status;
  await waitFor(async () => (await status({})) === 401, { what: "it to ask for the token", deadlineMs: 30_000 });
  expect(await status({ authorization: "Bearer a-long-enough-token" })).toBe(200);
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
}, 60_000);
