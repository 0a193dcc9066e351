import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { startConsul } from "./consul.ts";
import { isRunning } from "./procfs.ts";
import { waitFor } from "./waitFor.ts";

test("consul: starts, answers, keeps its data over a kill, leaves nothing", async () => {
  const consul = await startConsul();
  const server = consul.servers[0];
  if (!server) throw new Error("no server");
  const key = `${consul.url}/v1/kv/k`;
  expect(await (await fetch(key, { method: "PUT", body: "v" })).json()).toBe(true);
  await server.daemon.kill();
  await server.daemon.start();
  // It answers before its log is read again: without the key, or with an error, for a moment.
  await waitFor(async () => (await (await fetch(`${key}?raw`)).text()) === "v", { what: "the key after the restart" });
  const { pid, options } = server.daemon;
  await consul.stop();
  expect([isRunning(pid), existsSync(options.logFile)]).toEqual([false, false]);
});

test("three servers agree on a leader, and on another when that one is killed", async () => {
  const consul = await startConsul({ servers: 3 });
  try {
    const leaderBy = async (url: string) => (await (await fetch(`${url}/v1/status/leader`)).json()) as string;
    const first = await leaderBy(consul.url);
    const peers = (await (await fetch(`${consul.url}/v1/status/peers`)).json()) as string[];
    expect(peers.length).toBe(3);
    const self = async (url: string) =>
      (await (await fetch(`${url}/v1/agent/self`)).json()) as { Stats: { raft: { state: string } } };
    const states = await Promise.all(consul.servers.map(async ({ url }) => (await self(url)).Stats.raft.state));
    expect(states.filter((state) => state === "Leader")).toHaveLength(1);
    const leader = consul.servers[states.indexOf("Leader")];
    const follower = consul.servers[states.indexOf("Follower")];
    if (!leader || !follower) throw new Error(`states: ${states}`);
    await leader.daemon.kill();
    const isAnother = async () => {
      const now = await leaderBy(follower.url);
      return now !== "" && now !== first;
    };
    expect(await waitFor(isAnother, { what: "another leader", deadlineMs: 30_000 })).toBe(true);
  } finally {
    await consul.stop();
  }
});
