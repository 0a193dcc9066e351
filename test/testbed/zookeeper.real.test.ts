import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { isRunning } from "./procfs.ts";
import { waitFor } from "./waitFor.ts";
import { fourLetterWord, startZooKeeper, type ZooKeeperServer } from "./zookeeper.ts";

const ask = (server: ZooKeeperServer, word: string) => fourLetterWord(Number(server.address.split(":")[1]), word);

test("zookeeper: starts, answers, comes back after a kill, leaves nothing", async () => {
  const zookeeper = await startZooKeeper();
  const server = zookeeper.servers[0];
  if (!server) throw new Error("no server");
  expect(await ask(server, "ruok")).toBe("imok");
  await server.daemon.kill();
  expect(ask(server, "ruok")).rejects.toThrow();
  await server.daemon.start();
  expect(await ask(server, "srvr")).toContain("Mode: standalone");
  const { pid, options } = server.daemon;
  await zookeeper.stop();
  expect([isRunning(pid), existsSync(options.logFile)]).toEqual([false, false]);
});

test("three servers have one leader, and another when that one is paused", async () => {
  const zookeeper = await startZooKeeper({ servers: 3 });
  try {
    const modes = async (servers: ZooKeeperServer[]) =>
      await Promise.all(servers.map(async (server) => /^Mode: (\w+)/m.exec(await ask(server, "srvr"))?.[1]));
    const first = await modes(zookeeper.servers);
    expect(first.toSorted()).toEqual(["follower", "follower", "leader"]);
    const leader = zookeeper.servers[first.indexOf("leader")];
    const others = zookeeper.servers.filter((server) => server !== leader);
    await leader?.daemon.pause();
    const hasLeader = async () => (await modes(others)).includes("leader");
    expect(await waitFor(hasLeader, { what: "another leader", deadlineMs: 30_000 })).toBe(true);
  } finally {
    await zookeeper.stop();
  }
});
