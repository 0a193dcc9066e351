/**
 * discoverd beside a real Consul agent, on loopback: `bun bench/discoverd.ts [register|batch|heartbeat|watch|crowd|restart ...]`, as
 * root, with wrk. DISCOVERD names the binary, by default dist/discoverd (`bun build.ts discoverd`). QUICK=1: fewer rounds. About
 * 9 minutes. Writes bench/results/discoverd.json. On a busy machine `nice -n -20` lets all that is measured go before its neighbours.
 */
import { type Consul, startConsul } from "../test/testbed/consul.ts";
import { circumstances, type Figures, type Row, writeFigures } from "./discoverd/figures.ts";
import { goFirst } from "./discoverd/processes.ts";
import { batch, heartbeat, register } from "./discoverd/rates.ts";
import { restart } from "./discoverd/restart.ts";
import { crowdOfWatchers, watch } from "./discoverd/watching.ts";

const quick = process.env.QUICK === "1";
const rounds = quick ? 2 : 5;
const seconds = quick ? 2 : 3;

let consul: Consul | undefined;
const withConsul = async (run: (consul: Consul) => Promise<Figures>) => {
  if (!consul) {
    consul = await startConsul();
    for (const { daemon } of consul.servers) goFirst(daemon.pid);
  }
  return run(consul);
};

const parts: Record<string, () => Promise<Figures>> = {
  register: () => withConsul((one) => register(one, { rounds, seconds })),
  batch: () => batch({ rounds }),
  heartbeat: () => heartbeat({ rounds, seconds }),
  watch: () => withConsul((one) => watch(one, { rounds, changes: quick ? 10 : 40 })),
  crowd: () => crowdOfWatchers({ changes: quick ? 5 : 20 }),
  restart: () => restart({ watchSeconds: quick ? 15 : 40 }),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((each) => !(each in parts));
if (unknown.length > 0)
  throw new Error(`no such part: ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`);

goFirst(process.pid);
const rows: Row[] = [];
try {
  for (const name of asked.length === 0 ? Object.keys(parts) : asked) {
    const about = circumstances();
    const figures = await parts[name]?.();
    if (!figures) continue;
    rows.push(...figures.rows);
    console.table(figures.rows);
    writeFigures(name, about, figures);
  }
} finally {
  await consul?.stop();
}
const short = rows.filter(({ held }) => !held);
console.log(short.length === 0 ? "all as asked" : `falls short: ${short.map(({ what }) => what).join("; ")}`);
