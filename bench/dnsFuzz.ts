/**
 * Hostile DNS packets against a running discoverd, by UDP on loopback: `bun bench/dnsFuzz.ts [COUNT]`, one million by default. Half
 * are noise, half are good questions with bytes changed, cut off or added. It must go on answering, and its memory must stand still
 * after the first third. Ends with 1 where one of these does not hold.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fuzzPackets } from "../test/lib/dns/fuzzPackets.ts";
import { Daemon } from "../test/testbed/daemon.ts";
import { freePort } from "../test/testbed/freePort.ts";
import { scratchDir } from "../test/testbed/scratch.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const dir = scratchDir();
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
const rss = () =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"))?.[1]) / 1024);

try {
  await fetch(`http://127.0.0.1:${api}/v1/agent/service/register`, {
    method: "PUT",
    body: JSON.stringify({ Name: "web", Address: "10.0.0.1", Port: 80 }),
  });
  let replies = 0;
  const socket = await Bun.udpSocket({
    socket: { data: () => void replies++ },
    connect: { hostname: "127.0.0.1", port },
  });
  const seed = Date.now() >>> 0;
  const memory: number[] = [];
  let sent = 0;
  for (const packet of fuzzPackets(seed, count)) {
    socket.send(packet);
    if (++sent % 50 === 0) await Bun.sleep(1); // what the kernel drops tests nothing
    if (sent % Math.ceil(count / 10) === 0) memory.push(rss());
  }
  await Bun.sleep(200);
  socket.close();
  const dig = Bun.spawnSync(["dig", "+short", "-p", String(port), "@127.0.0.1", "web.discoverd"]);
  const answers = dig.stdout.toString().trim() === "10.0.0.1" && daemon.running;
  const grown = Math.min(...memory.slice(-3)) - (memory[3] ?? 0);
  console.log({ seed, sent, replies, rssMB: memory, grown, answers });
  if (!answers || grown > 20) process.exitCode = 1;
} finally {
  await daemon.stop();
  rmSync(dir, { recursive: true, force: true });
}
