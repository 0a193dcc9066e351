/**
 * How fast the embedded store is: `bun bench/store.ts [DIRECTORY] [--etcd URL]`. Each figure is the median of the rounds,
 * and the rounds of all cases are interleaved. Writes bench/results/store.json.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openStore } from "../lib/store/openStore.ts";
import type { Store } from "../lib/store/store.ts";

const rounds = 5;
const roundMs = 1000;
const { values, positionals } = parseArgs({ allowPositionals: true, options: { etcd: { type: "string" } } });
const dir = mkdtempSync(join(positionals[0] ?? tmpdir(), "store-bench-"));

interface Case {
  name: string;
  url: string;
  clients: number;
}

interface Round {
  writesPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const cases: Case[] = [1, 64].flatMap((clients) => [
  { name: `memory, ${clients} clients`, url: "memory:", clients },
  { name: `sqlite FULL, ${clients} clients`, url: `sqlite:${join(dir, `full${clients}.db`)}`, clients },
  {
    name: `sqlite NORMAL, ${clients} clients`,
    url: `sqlite:${join(dir, `normal${clients}.db`)}?synchronous=normal`,
    clients,
  },
  ...(values.etcd ? [{ name: `etcd, ${clients} clients`, url: values.etcd, clients }] : []),
]);

/** Each client puts a 300-byte value under one of 1,000 keys, one txn after the other. */
async function round(store: Store, clients: number): Promise<Round> {
  const value = new Uint8Array(300).fill(65);
  const times: number[] = [];
  const started = performance.now();
  const client = async (id: number) => {
    for (let n = id; performance.now() - started < roundMs; n += clients) {
      const before = performance.now();
      await store.txn({ then: [{ op: "put", key: `/bench/${n % 1000}`, value }] });
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => client(id)));
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { writesPerSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

const median = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** What 100,000 entries of 300 bytes cost: the time of one list, and of one get. */
async function bigList(): Promise<{ entries: number; listMs: number; getUs: number }> {
  const store = await openStore(`sqlite:${join(dir, "big.db")}`);
  const value = new Uint8Array(300);
  for (let n = 0; n < 100_000; n += 100) {
    await store.txn({ then: Array.from({ length: 100 }, (_, i) => ({ op: "put", key: `/big/${n + i}`, value })) });
  }
  const started = performance.now();
  const { entries } = await store.list("/big/");
  const listMs = performance.now() - started;
  const reading = performance.now();
  for (let n = 0; n < 10_000; n++) await store.get(`/big/${n * 7}`);
  const getUs = ((performance.now() - reading) * 1000) / 10_000;
  await store.close();
  return { entries: entries.length, listMs: Math.round(listMs), getUs: Math.round(getUs * 10) / 10 };
}

try {
  const results = new Map<Case, Round[]>(cases.map((each) => [each, []]));
  for (let n = 0; n < rounds; n++) {
    for (const each of cases) {
      const store = await openStore(each.url);
      results.get(each)?.push(await round(store, each.clients));
      await store.close();
    }
    console.error(`round ${n + 1} of ${rounds}`);
  }
  const table = [...results].map(([{ name }, all]) => ({
    name,
    writesPerSecond: Math.round(median(all.map((one) => one.writesPerSecond))),
    p50Ms: Number(median(all.map((one) => one.p50Ms)).toFixed(3)),
    p99Ms: Number(median(all.map((one) => one.p99Ms)).toFixed(3)),
  }));
  console.table(table);
  const big = await bigList();
  console.log(`sqlite: list of ${big.entries} entries ${big.listMs} ms; get ${big.getUs} µs`);
  const commit = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"]).stdout.toString().trim();
  const file = join(import.meta.dir, "results", "store.json");
  const content = {
    commit,
    date: new Date().toISOString(),
    cpus: navigator.hardwareConcurrency,
    rounds,
    roundMs,
    table,
    big,
  };
  await Bun.write(file, `${JSON.stringify(content, null, 2)}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
