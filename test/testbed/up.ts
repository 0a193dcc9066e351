/**
 * Starts one part of the testbed by hand and keeps it until Ctrl-C.
 *
 *     bun test/testbed/up.ts etcd37
 *     bun test/testbed/up.ts hosts 3 new
 */
import { startConsul } from "./consul.ts";
import type { EngineKind } from "./engine.ts";
import { startEtcd } from "./etcd.ts";
import { hostsUp } from "./hosts.ts";
import { busyboxImage } from "./images.ts";
import { sweepLeftovers } from "./sweep.ts";
import { startZooKeeper } from "./zookeeper.ts";

interface Up {
  /** What to tell: one line each. */
  lines: string[];
  stop(): Promise<void>;
}

async function etcd(version: "3.4" | "3.7", nodes: number): Promise<Up> {
  const part = await startEtcd({ version, nodes: oneOrThree(nodes) });
  return { lines: part.nodes.map((node) => `${node.name}  ${node.url}  pid ${node.daemon.pid}`), stop: part.stop };
}

async function consul(servers: number): Promise<Up> {
  const part = await startConsul({ servers: oneOrThree(servers) });
  return { lines: part.servers.map((each) => `${each.name}  ${each.url}  pid ${each.daemon.pid}`), stop: part.stop };
}

async function zookeeper(servers: number): Promise<Up> {
  const part = await startZooKeeper({ servers: oneOrThree(servers) });
  return {
    lines: part.servers.map((each) => `${each.name}  ${each.address}  pid ${each.daemon.pid}`),
    stop: part.stop,
  };
}

async function hosts(count: number, engine: EngineKind | "none"): Promise<Up> {
  const part = await hostsUp({ count, engine });
  for (const host of part.all) if (engine !== "none") await busyboxImage(host.docker);
  const docker = (i: number) => (engine === "none" ? "" : `  DOCKER_HOST=${part.all[i]?.docker.url}`);
  const lines = part.all.map(
    ({ name, ip, netns }, i) => `${name}  ${ip}  nsenter --net=/var/run/netns/${netns}${docker(i)}`,
  );
  return { lines, stop: part.stop };
}

const parts: Record<string, { help: string; start(words: string[]): Promise<Up> }> = {
  etcd34: { help: "[1|3]                   etcd 3.4", start: async ([n]) => etcd("3.4", Number(n ?? 1)) },
  etcd37: { help: "[1|3]                   etcd 3.7", start: async ([n]) => etcd("3.7", Number(n ?? 1)) },
  consul: { help: "[1|3]                   Consul 1.22", start: async ([n]) => consul(Number(n ?? 1)) },
  zookeeper: { help: "[1|3]                   ZooKeeper 3.8", start: async ([n]) => zookeeper(Number(n ?? 1)) },
  hosts: {
    help: "[COUNT] [old|new|none]  hosts in namespaces, each with a Docker Engine and the image testbed/busybox:1",
    start: async ([count, engine]) => hosts(Number(count ?? 1), engineKind(engine ?? "old")),
  },
  sweep: {
    help: "                        removes what dead test processes left, and ends",
    start: async () => ({
      lines: (await sweepLeftovers()).map((dir) => `removed ${dir}`),
      stop: async () => process.exit(0),
    }),
  },
};

function oneOrThree(n: number): 1 | 3 {
  if (n === 1 || n === 3) return n;
  throw new Error(`1 or 3, not ${n}`);
}

function engineKind(word: string): EngineKind | "none" {
  if (word === "old" || word === "new" || word === "none") return word;
  throw new Error(`old, new or none, not ${word}`);
}

const [name = "", ...words] = process.argv.slice(2);
const part = parts[name];
if (!part) {
  console.error(`usage: bun test/testbed/up.ts PART\n`);
  for (const [each, { help }] of Object.entries(parts)) console.error(`  ${each.padEnd(10)} ${help}`);
  process.exit(2);
}
const started = await part.start(words).catch((error: unknown) => {
  console.error(`${name}: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
});
for (const line of started.lines) console.log(line);
if (name === "sweep") process.exit(0);
console.log("Ctrl-C stops it.");
const keep = setInterval(() => {}, 1 << 30);
await new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
});
clearInterval(keep);
await started.stop();
