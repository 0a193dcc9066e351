import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { type Discoverd, startDiscoverd } from "../../../tools/discoverd/startDiscoverd.ts";
import { type Docker, startDocker } from "../../testbed/hosts.ts";
import { busyboxImage } from "../../testbed/images.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const tool = join(import.meta.dir, "../../../tools/registrator.ts");
let docker: Docker;
let image: string;
let discoverd: Discoverd | undefined;
const children: ChildProcess[] = [];

beforeAll(async () => {
  docker = await startDocker({ engine: "old" });
  image = await busyboxImage(docker);
}, 120_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await discoverd?.close();
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

const serve = (port: number) =>
  startDiscoverd({ store: "memory:", listen: { hostname: "127.0.0.1", port }, log: silentLogger });
const names = () =>
  (discoverd?.discovery.instances("web") ?? []).map((instance) => instance.meta?.["docker.name"]).sort();
const web = (name: string) =>
  docker.api.run({ image, name, cmd: ["sleep", "600"], env: { SERVICE_NAME: "web" }, ports: { "80/tcp": 0 } });

test("registrator as a process, over HTTP: registers, survives a wiped discoverd, keeps or takes out at its end; plan and list agree", async () => {
  discoverd = await serve(0);
  const port = Number(new URL(discoverd.url).port);
  const uri = `discoverd://127.0.0.1:${port}`;
  await web("web-1");

  const planned = start("plan", "-internal", "--json", uri);
  expect(await planned.ended).toBe(0);
  expect(JSON.parse(planned.out)).toMatchObject([{ action: "register", service: "web", container: "web-1" }]);
  expect(names()).toEqual([]);

  const daemon = start("-internal", "-ttl", "6", "-ttl-refresh", "1", "-shutdown", "deregister", uri);
  await waitFor(() => Bun.deepEquals(names(), ["web-1"]), { what: "web-1" });
  await web("web-2");
  await waitFor(() => Bun.deepEquals(names(), ["web-1", "web-2"]), { what: "web-2" });
  await docker.api.remove("web-1");
  await waitFor(() => Bun.deepEquals(names(), ["web-2"]), { what: "web-1 to be out" });

  const listed = start("list", "--json", uri);
  expect(await listed.ended).toBe(0);
  expect(JSON.parse(listed.out)).toMatchObject([{ service: "web", container: "web-2" }]);
  const again = start("plan", "-internal", uri);
  expect(await again.ended).toBe(0);
  expect(again.out).toBe("nothing: the registry is as Docker is\n");

  await discoverd.close();
  await web("web-3");
  discoverd = await serve(port);
  await waitFor(() => Bun.deepEquals(names(), ["web-2", "web-3"]), {
    what: "all to be in the new, empty discoverd",
    deadlineMs: 20_000,
  });

  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toBe(0);
  expect(names()).toEqual([]);

  const keeping = start("-internal", uri);
  await waitFor(() => Bun.deepEquals(names(), ["web-2", "web-3"]), { what: "both again" });
  keeping.child.kill("SIGTERM");
  expect(await keeping.ended).toBe(0);
  expect(names()).toEqual(["web-2", "web-3"]);

  const explained = start("explain", "-internal", "web-2", "--json");
  expect(await explained.ended).toBe(0);
  expect(JSON.parse(explained.out)).toMatchObject({ services: [{ Name: "web", Port: 80, Tags: [] }], ignored: [] });
  for (const name of ["web-2", "web-3"]) await docker.api.remove(name);
}, 120_000);
