import type { Consul } from "../../test/testbed/consul.ts";
import {
  addServices,
  batchHeartbeats,
  batchRegistrations,
  crowd,
  registerAll,
  send,
  singleRegistrations,
} from "./crowd.ts";
import { startDiscoverd } from "./daemon.ts";
import { type Figures, spread, told } from "./figures.ts";
import { daemonOf } from "./processes.ts";
import { type LoadResult, wrk } from "./wrk.ts";

const services = 100;
/** They must not expire while others are measured: nobody sends their heartbeats. */
const longLife = ["--ttl", "1h"];

/** Registrations by 64 clients, one each: ours, Consul's agent's, Consul's catalog's, by turns. */
export async function register(
  consul: Consul,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<Figures> {
  const consulDaemon = daemonOf(consul);
  const ours = await startDiscoverd(longLife);
  const results: Record<"ours" | "agent" | "catalog", LoadResult[]> = { ours: [], agent: [], catalog: [] };
  try {
    await addServices(ours, services);
    for (let round = 0; round < rounds; round++) {
      const members = crowd(30_000 * seconds, services, round * 30_000 * seconds);
      const some = members.slice(0, 8000 * seconds);
      const requests = {
        ours: singleRegistrations(members),
        agent: some.map(({ service, id, host }) => {
          return `PUT /v1/agent/service/register ${JSON.stringify({ ID: `a-${id}`, Name: service, Address: host, Port: 8080 })}`;
        }),
        catalog: some.map(({ service, id, host }) => {
          const body = { ID: `c-${id}`, Service: service, Address: host, Port: 8080 };
          return `PUT /v1/catalog/register ${JSON.stringify({ Node: "bench", Address: "127.0.0.1", Service: body })}`;
        }),
      };
      for (const kind of ["ours", "agent", "catalog"] as const) {
        const url = kind === "ours" ? ours.url : consul.url;
        const { pid } = kind === "ours" ? ours.daemon : consulDaemon;
        const load = { url, requests: requests[kind], connections: 64, seconds, once: true, dir: ours.dir, pid };
        results[kind].push(await wrk(load));
        await Bun.sleep(500);
      }
    }
    const { instances } = await ours.status();
    const answered = results.ours.reduce((sum, one) => sum + one.requests, 0);
    if (instances < answered) throw new Error(`${answered} registrations were answered, ${instances} are there`);
  } finally {
    await ours.stop();
  }
  const rate = (kind: keyof typeof results) => results[kind].map((one) => one.perSecond);
  const ratio = (to: "agent" | "catalog") => spread(rate("ours").map((one, i) => one / (rate(to)[i] ?? 1)));
  const [perSecond, toAgent, toCatalog] = [spread(rate("ours")), ratio("agent"), ratio("catalog")];
  return {
    rows: [
      row("registrations/s, one each, 64 clients", ">= 5,000", told(perSecond), perSecond.median >= 5000),
      row("the same, times Consul's agent/service/register", ">= 15", told(toAgent), toAgent.median >= 15),
      row("the same, times Consul's catalog/register", ">= 2", told(toCatalog), toCatalog.median >= 2),
    ],
    ratios: { toAgent, toCatalog },
    results,
  };
}

/** Batches of 1,000 by 8 clients: over many services, and all of one service, which is the dearest case. */
export async function batch({ rounds }: { rounds: number }): Promise<Figures> {
  const all = 100_000;
  const spreads: Record<string, number[]> = { "1000": [], "100": [], "1": [] };
  for (let round = 0; round < rounds; round++) {
    for (const [count, rates] of Object.entries(spreads)) {
      const ours = await startDiscoverd(longLife);
      try {
        await addServices(ours, Number(count));
        const requests = batchRegistrations(crowd(all, Number(count)), 1000);
        const { instances: before } = await ours.status();
        const started = performance.now();
        const left = requests.values();
        const client = async () => {
          for (const request of left) await send(ours.url, request);
        };
        await Promise.all(Array.from({ length: 8 }, client));
        const seconds = (performance.now() - started) / 1000;
        const { instances } = await ours.status();
        if (instances - before !== all) throw new Error(`${instances - before} of ${all} instances are there`);
        rates.push(all / seconds);
      } finally {
        await ours.stop();
      }
    }
  }
  const rows = Object.entries(spreads).map(([count, rates]) => {
    const seen = spread(rates);
    return row(`batch registrations/s, over ${count} services`, ">= 50,000", told(seen), seen.median >= 50_000);
  });
  return { rows, results: spreads };
}

/** Heartbeats of 10,000 instances, one by one and by batches of 1,000; the store's revision must not move. */
export async function heartbeat({ rounds, seconds }: { rounds: number; seconds: number }): Promise<Figures> {
  const ours = await startDiscoverd(longLife);
  const single: LoadResult[] = [];
  const batched: LoadResult[] = [];
  try {
    await addServices(ours, services);
    const members = crowd(10_000, services);
    await registerAll(ours, members);
    const before = await ours.status();
    const load = { url: ours.url, seconds, dir: ours.dir, pid: ours.daemon.pid };
    for (let round = 0; round < rounds; round++) {
      single.push(await wrk({ ...load, requests: singleRegistrations(members), connections: 64 }));
      batched.push(await wrk({ ...load, requests: batchHeartbeats(members, 1000), connections: 8 }));
    }
    const after = await ours.status();
    const writes = after.rev - before.rev;
    const [one, many] = [
      spread(single.map((each) => each.perSecond)),
      spread(batched.map((each) => each.perSecond * 1000)),
    ];
    return {
      rows: [
        row("heartbeats/s, single PUTs, wrk -c64", ">= 20,000", told(one), one.median >= 20_000),
        row("heartbeats/s, batches of 1,000", ">= 500,000", told(many), many.median >= 500_000),
        row("store writes by all of these", "0", String(writes), writes === 0),
      ],
      results: { single, batched },
    };
  } finally {
    await ours.stop();
  }
}

const row = (what: string, asked: string, seen: string, held: boolean) => ({ what, asked, seen, held });
