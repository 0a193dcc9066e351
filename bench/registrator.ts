/**
 * registrator beside the original, on one engine with a Consul each: `bun bench/registrator.ts [burst|latency|weight|outage ...]`, as
 * root. REGISTRATOR_ORIGINAL names the original's binary; without it ours is measured alone. REGISTRATOR names ours, by default
 * dist/registrator; CONTAINERS and IDLE_SECONDS change the weighing (500, 330), ROUNDS the starts (32 times 50). Writes bench/results/registrator.json.
 */
import { startDocker } from "../test/testbed/hosts.ts";
import { busyboxImage } from "../test/testbed/images.ts";
import { burst } from "./registrator/burst.ts";
import { contenders } from "./registrator/contender.ts";
import { crowdOf } from "./registrator/crowd.ts";
import { writeFigures } from "./registrator/figures.ts";
import { latency } from "./registrator/latency.ts";
import { outage } from "./registrator/outage.ts";
import { rewrites, weight } from "./registrator/weight.ts";

/** What must hold, from the issue that asks for it. */
const limits = {
  burst: "0 lost, 0 left",
  latency: "p50 <= 21 ms, p99 <= 70 ms, and <= the original's in the same run",
  weight: "with 500 containers RSS <= 60 MB, anonymous <= 24 MB, idle CPU <= 0.2 %; 0 writes per resync",
  outage: "equal to Docker within 2 s of its return",
};
type Part = keyof typeof limits;

const parts = Object.keys(limits) as Part[];
const asked = process.argv.slice(2);
const unknown = asked.filter((each) => !(each in limits));
if (unknown.length > 0) throw new Error(`no such part: ${unknown.join(", ")}; there are ${parts.join(", ")}`);
const chosen = asked.length === 0 ? parts : (asked as Part[]);
const weightCount = Number(process.env.CONTAINERS ?? 500);
/** Of 50 starts each; half a minute a round. */
const latencyRounds = Number(process.env.ROUNDS ?? 32);
/** Long enough for a new list of the containers to fall into it. */
const idleSeconds = Number(process.env.IDLE_SECONDS ?? 330);

const docker = await startDocker({ engine: "old" });
const all = await contenders(docker.url);
try {
  const crowd = crowdOf(docker, await busyboxImage(docker));
  await crowd.start("marker");
  const run: Record<Part, () => Promise<Record<string, object[]>>> = {
    burst: async () => ({ rows: [...(await burst(all, crowd, 60)), ...(await burst(all, crowd, 200))] }),
    latency: async () => ({ rows: await latency(all, docker, crowd, { rounds: latencyRounds, perRound: 50 }) }),
    weight: async () => ({
      rows: await weight(all, crowd, weightCount, idleSeconds),
      resync: await rewrites(all, crowd),
    }),
    outage: async () => ({ rows: await outage(all, crowd) }),
  };
  for (const part of chosen) {
    console.log(`${part}: ${limits[part]}`);
    const tables = await run[part]();
    for (const rows of Object.values(tables)) console.table(rows);
    writeFigures(part, {
      limit: limits[part],
      original: all.length > 1 ? "measured beside it" : "not given",
      ...tables,
    });
    await crowd.clear("marker");
  }
} finally {
  for (const { consul } of all) await consul.stop();
  await docker.stop();
}
