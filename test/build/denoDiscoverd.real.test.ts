import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { instanceId } from "../../lib/discovery/instanceId.ts";
import { must } from "../testbed/command.ts";
import { Daemon } from "../testbed/daemon.ts";
import { freePort } from "../testbed/freePort.ts";
import { scratchDir } from "../testbed/scratch.ts";
import { built, root } from "./built.ts";

/** What the story asks of discovery, asked of the one-file script under Deno, with its state in SQLite. */
let daemon: Daemon;
let url: string;
let dnsPort: number;

beforeAll(async () => {
  const dist = await built();
  const deno = [...new Glob("node_modules/@deno/*/deno").scanSync(root)].find((path) => existsSync(join(root, path)));
  const port = await freePort();
  dnsPort = await freePort();
  const dir = scratchDir();
  url = `http://127.0.0.1:${port}`;
  daemon = await Daemon.start({
    name: "discoverd under Deno",
    argv: [
      ...[join(root, deno ?? ""), "run", "-A", join(dist.out, "discoverd.mjs"), "serve"],
      ...[
        "--listen",
        `127.0.0.1:${port}`,
        "--store",
        `sqlite:${join(dir, "state.db")}`,
        "--dns",
        `127.0.0.1:${dnsPort}`,
      ],
    ],
    logFile: join(dir, "discoverd.log"),
    ready: async () => (await fetch(`${url}/readyz`)).ok,
  });
}, 300_000);

afterAll(async () => {
  await daemon?.stop();
});

const put = (path: string, body: unknown) =>
  fetch(`${url}${path}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });

const instance = (port: number) => {
  const addr = `127.0.0.1:${port}`;
  return { id: instanceId("tcp", addr), proto: "tcp", addr, meta: { "docker.name": `webapp-${port}` } };
};

test("services, instances, a leader, events, DNS and a removal", async () => {
  expect((await put("/services/webapp", {})).status).toBe(200);
  expect((await put("/services/webapp", {})).status).toBe(409);
  const [first, second] = [instance(8080), instance(8081)];
  for (const each of [first, second])
    expect((await put(`/services/webapp/instances/${each.id}`, each)).status).toBe(200);

  const listed = (await (await fetch(`${url}/services/webapp/instances`)).json()) as { id: string; index: number }[];
  expect(listed.map(({ id }) => id)).toEqual([first.id, second.id]);
  const leader = (await (await fetch(`${url}/services/webapp/leader`)).json()) as { id: string };
  expect(leader.id).toBe(first.id);

  const leaving = new AbortController();
  const stream = await fetch(`${url}/services/webapp`, { signal: leaving.signal });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let events = "";
  const until = async (text: string) => {
    while (!events.includes(text)) events += (await reader?.read())?.value ?? "";
  };
  await until('"kind":"current"');
  expect(events.match(/"kind":"up"/g)).toHaveLength(2);

  const removed = await fetch(`${url}/services/webapp/instances/${first.id}`, { method: "DELETE" });
  expect(removed.status).toBe(200);
  await until(`"kind":"leader","instance":{"id":"${second.id}`);
  expect(events).toContain('"kind":"down"');
  leaving.abort();

  const srv = await must(["dig", "@127.0.0.1", "-p", String(dnsPort), "webapp.discoverd", "SRV", "+short", "+tcp"]);
  expect(srv.trim()).toBe(`1 1 8081 ${second.id}.webapp._i.discoverd.`);
  const a = await must(["dig", "@127.0.0.1", "-p", String(dnsPort), "webapp.discoverd", "A", "+short"]);
  expect(a.trim()).toBe("127.0.0.1");
}, 60_000);

test("its state is there after a restart", async () => {
  await daemon.restart();
  const listed = (await (await fetch(`${url}/services/webapp/instances`)).json()) as { addr: string }[];
  expect(listed.map(({ addr }) => addr)).toEqual(["127.0.0.1:8081"]);
}, 60_000);
