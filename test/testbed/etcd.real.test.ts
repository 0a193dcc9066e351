import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Etcd, startEtcd } from "./etcd.ts";
import { isRunning } from "./procfs.ts";
import { waitFor } from "./waitFor.ts";

const put = async (etcd: Etcd, url: string, key: string) => {
  const body = JSON.stringify({ key: btoa(key), value: btoa("v") });
  const answer = await fetch(`${url}/v3/kv/put`, { method: "POST", body, signal: AbortSignal.timeout(2000) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()} from ${etcd.url}`);
  return true;
};

for (const version of ["3.4", "3.7"] as const) {
  test(`etcd ${version}: starts, answers, keeps its data over a kill, leaves nothing`, async () => {
    const etcd = await startEtcd({ version });
    const node = etcd.nodes[0];
    if (!node) throw new Error("no node");
    const { pid } = node.daemon;
    const { etcdserver } = (await (await fetch(`${etcd.url}/version`)).json()) as { etcdserver: string };
    expect(etcdserver).toStartWith(version);
    await put(etcd, etcd.url, "k");

    await node.daemon.kill();
    expect(fetch(`${etcd.url}/health`)).rejects.toThrow();
    await node.daemon.start();
    const body = JSON.stringify({ key: btoa("k") });
    const got = await (await fetch(`${etcd.url}/v3/kv/range`, { method: "POST", body })).json();
    expect(got).toMatchObject({ count: "1" });

    const data = node.daemon.options.logFile;
    const last = node.daemon.pid;
    await etcd.stop();
    expect([isRunning(pid), isRunning(last), existsSync(data)]).toEqual([false, false, false]);
  });
}

test("etcd 3.4 with v2 keys answers /v2/keys; 3.7 refuses the wish", async () => {
  const etcd = await startEtcd({ version: "3.4", enableV2: true });
  try {
    const answer = await fetch(`${etcd.url}/v2/keys/a`, { method: "PUT", body: new URLSearchParams({ value: "1" }) });
    expect(answer.status).toBe(201);
  } finally {
    await etcd.stop();
  }
  expect(startEtcd({ version: "3.7", enableV2: true })).rejects.toThrow("has no v2 API");
});

test("three nodes go on when one is paused and when one is killed, and it catches up", async () => {
  const etcd = await startEtcd({ version: "3.4", nodes: 3 });
  try {
    const [one, two, three] = etcd.nodes;
    if (!one || !two || !three) throw new Error("three nodes were asked for");
    await one.daemon.pause();
    await waitFor(() => put(etcd, two.url, "a"), { what: "a write without n1", deadlineMs: 15_000 });
    one.daemon.resume();
    await waitFor(() => put(etcd, one.url, "b"), { what: "a write by n1 after it goes on", deadlineMs: 15_000 });
    await three.daemon.kill();
    await waitFor(() => put(etcd, one.url, "c"), { what: "a write without n3", deadlineMs: 15_000 });
    await three.daemon.start();
    await put(etcd, three.url, "d");
  } finally {
    await etcd.stop();
  }
});
