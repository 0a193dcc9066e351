import { expect, test } from "bun:test";
import { Resolver } from "node:dns/promises";
import { startCoreDns } from "./coredns.ts";
import { isRunning } from "./procfs.ts";

test("coredns: starts, answers, leaves nothing", async () => {
  const coredns = await startCoreDns(["hosts {", "  10.1.2.3 web.example", "}"]);
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([`127.0.0.1:${coredns.port}`]);
  expect(await resolver.resolve4("web.example")).toEqual(["10.1.2.3"]);
  await coredns.stop();
  expect(isRunning(coredns.daemon.pid)).toBe(false);
});
