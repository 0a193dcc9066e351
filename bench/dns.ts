/**
 * Answers a second of our DNS, of unbound (local-data, one thread) and of CoreDNS (etcd plugin), from the same 1,000 services of three
 * instances, A and SRV, by dnsperf on loopback: `bun bench/dns.ts [--seconds N] [--rounds N]`. The servers take turns, since the machine
 * is shared. CPU time for each answer is what a busy machine blurs least; `busy` is the server's share of a core: well below 1, it
 * was dnsperf (two threads) that set the pace. Needs unbound and dnsperf (Debian); CoreDNS is left out
 * with `--no-coredns`. Writes bench/results/dns.json.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openEtcd } from "../lib/store/etcd/openEtcd.ts";
import { Daemon } from "../test/testbed/daemon.ts";
import { freePort } from "../test/testbed/freePort.ts";
import { scratchDir } from "../test/testbed/scratch.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    coredns: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const rounds = Number(values.rounds);
const services = 1000;
const perService = 3;
const dir = scratchDir();
const undo: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];

interface Server {
  name: string;
  port: number;
  pid: number;
  /** The name of service n. */
  nameOf: (n: number) => string;
}

interface Round {
  perSecond: number;
  cpuMicros: number;
  busy: number;
  lost: number;
}

const hostOf = (n: number, i: number) => `10.${i}.${n >> 8}.${n & 255}`;
const isTaken = (port: number) =>
  Bun.spawnSync(["dig", "+tries=1", "+time=1", "-p", String(port), "@127.0.0.1", "ready.test"]).exitCode === 0;

async function ours(): Promise<Server> {
  const [port, api] = [await freePort(), await freePort()];
  const daemon = await Daemon.start({
    name: "discoverd",
    argv: [
      process.execPath,
      join(import.meta.dir, "../tools/discoverd.ts"),
      "serve",
      "--store",
      "memory:",
      "--listen",
      `127.0.0.1:${api}`,
      "--dns",
      `127.0.0.1:${port}`,
    ],
    logFile: join(dir, "discoverd.log"),
    ready: async () => (await fetch(`http://127.0.0.1:${api}/readyz`)).ok,
  });
  undo.push(() => daemon.stop());
  for (let n = 0; n < services; n++) {
    for (let i = 0; i < perService; i++) {
      const body = { ID: `s${n}-${i}`, Name: `s${n}`, Address: hostOf(n, i), Port: 80 };
      const response = await fetch(`http://127.0.0.1:${api}/v1/agent/service/register`, {
        method: "PUT",
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(await response.text());
    }
  }
  return { name: "discoverd", port, pid: daemon.pid, nameOf: (n) => `s${n}.discoverd` };
}

async function unbound(): Promise<Server> {
  const port = await freePort();
  const records: string[] = [];
  for (let n = 0; n < services; n++) {
    for (let i = 0; i < perService; i++) {
      records.push(`local-data: "s${n}.discoverd. 0 IN A ${hostOf(n, i)}"`);
      records.push(
        `local-data: "s${n}.discoverd. 0 IN SRV 1 1 80 ${"0123456789abcdef".repeat(2)}.s${n}._i.discoverd."`.replace(
          "0123",
          `${i}123`,
        ),
      );
    }
  }
  const settings = [
    "num-threads: 1",
    `interface: 127.0.0.1@${port}`,
    "do-daemonize: no",
    "use-syslog: no",
    'chroot: ""',
    'username: ""',
    'pidfile: ""',
    "do-ip6: no",
    "outgoing-range: 64",
    'local-zone: "discoverd." static',
  ];
  const file = join(dir, "unbound.conf");
  writeFileSync(
    file,
    [
      "server:",
      ...[...settings, ...records].map((line) => `  ${line}`),
      "remote-control:",
      "  control-enable: no",
      "",
    ].join("\n"),
  );
  const daemon = await Daemon.start({
    name: "unbound",
    argv: ["unbound", "-d", "-c", file],
    logFile: join(dir, "unbound.log"),
    ready: () => isTaken(port),
  });
  undo.push(() => daemon.stop());
  return { name: "unbound", port, pid: daemon.pid, nameOf: (n) => `s${n}.discoverd` };
}

/** The etcd plugin reads SkyDNS' keys: /skydns/local/bench/sN/xI. */
async function coredns(): Promise<Server> {
  const { startEtcd } = await import("../test/testbed/etcd.ts");
  const { startCoreDns } = await import("../test/testbed/coredns.ts");
  const etcd = await startEtcd();
  undo.push(() => etcd.stop());
  const url = etcd.url;
  const store = await openEtcd(url.replace("http://", "etcd://"), {});
  for (let n = 0; n < services; n++) {
    const put = (i: number) => ({
      op: "put" as const,
      key: `/skydns/local/bench/s${n}/x${i}`,
      value: new TextEncoder().encode(JSON.stringify({ host: hostOf(n, i), port: 80 })),
    });
    await store.txn({ then: Array.from({ length: perService }, (_, i) => put(i)) });
  }
  await store.close();
  const { port, daemon, stop } = await startCoreDns(["etcd bench.local {", "  path /skydns", `  endpoint ${url}`, "}"]);
  undo.push(stop);
  return { name: "coredns", port, pid: daemon.pid, nameOf: (n) => `s${n}.bench.local` };
}

/** User and system time so far, in µs. */
function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function measure(server: Server, type: "A" | "SRV"): Promise<Round> {
  const file = join(dir, `${server.name}.${type}`);
  writeFileSync(file, Array.from({ length: services }, (_, n) => `${server.nameOf(n)} ${type}\n`).join(""));
  const before = cpuMicros(server.pid);
  const child = Bun.spawn(
    ["dnsperf", "-s", "127.0.0.1", "-p", String(server.port), "-d", file, "-l", values.seconds, "-c", "4", "-q", "200"],
    { stdout: "pipe", stderr: "ignore" },
  );
  const out = await new Response(child.stdout).text();
  const used = cpuMicros(server.pid) - before;
  const read = (what: RegExp) => Number(what.exec(out)?.[1] ?? Number.NaN);
  const completed = read(/Queries completed:\s+(\d+)/);
  const noError = read(/NOERROR (\d+)/);
  if (noError !== completed) throw new Error(`${server.name} ${type}: not all were answered with NOERROR\n${out}`);
  return {
    perSecond: Math.round(read(/Queries per second:\s+([\d.]+)/)),
    cpuMicros: used / completed,
    busy: used / 1e6 / Number(values.seconds),
    lost: read(/Queries lost:\s+(\d+)/),
  };
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

try {
  const servers = [await ours(), await unbound(), ...(values.coredns ? [await coredns()] : [])];
  const table = [];
  for (const type of ["A", "SRV"] as const) {
    const seen = new Map<Server, Round[]>(servers.map((server) => [server, []]));
    for (const server of servers) await measure(server, type); // caches and compilers
    for (let n = 0; n < rounds; n++) for (const server of servers) seen.get(server)?.push(await measure(server, type));
    const [mine] = [...seen.values()];
    for (const [server, all] of seen) {
      const ratios = all.map((round, i) => (mine?.[i]?.perSecond ?? 0) / round.perSecond);
      table.push({
        server: server.name,
        type,
        perSecond: median(all.map((round) => round.perSecond)),
        cpuMicros: Number(median(all.map((round) => round.cpuMicros)).toFixed(2)),
        busy: Number(median(all.map((round) => round.busy)).toFixed(2)),
        lost: all.reduce((sum, round) => sum + round.lost, 0),
        oursToIt: Number(median(ratios).toFixed(2)),
        spread: [Math.min(...ratios), Math.max(...ratios)].map((ratio) => Number(ratio.toFixed(2))),
        oursToItByCpu: Number(
          (median(all.map((round) => round.cpuMicros)) / median((mine ?? []).map((round) => round.cpuMicros))).toFixed(
            2,
          ),
        ),
      });
    }
  }
  console.table(table);
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${servers[0]?.pid}/status`, "utf8"))?.[1]) / 1024;
  const commit = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"], { cwd: import.meta.dir })
    .stdout.toString()
    .trim();
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const content = {
    commit,
    date: new Date().toISOString(),
    cpus: navigator.hardwareConcurrency,
    load: loadavg(),
    rounds,
    seconds: Number(values.seconds),
    services,
    perService,
    rssMB: Math.round(rss),
    table,
  };
  writeFileSync(join(results, "dns.json"), `${JSON.stringify(content, null, 2)}\n`);
} finally {
  for (const step of undo.reverse()) await step();
}
