import { type About, limited, type Row, type Section } from "./about.ts";

/** bench/results/start.json */
export interface StartResults extends About {
  limits: {
    sizeMB: number;
    versionMs: Record<string, number>;
    firstAnswerMs: number;
    rssMB: number;
    anonymousMB: number;
  };
  results: {
    kind: string;
    sizeMB: number;
    versionMs: { median: number };
    firstAnswerMs: { median: number };
    rssMB: { median: number };
    anonymousMB: { median: number };
  }[];
}

export function startSection({ limits, results, ...about }: StartResults): Section {
  const rows = results.flatMap(({ kind, ...seen }) => [
    limited(`${kind}: size`, seen.sizeMB, { most: limits.sizeMB }, " MB"),
    limited(`${kind}: \`--version\``, seen.versionMs.median, { most: limits.versionMs[kind] ?? 0 }, " ms"),
    limited(`${kind}: \`serve\` to its first answer`, seen.firstAnswerMs.median, { most: limits.firstAnswerMs }, " ms"),
    limited(`${kind}: idle, RSS`, seen.rssMB.median, { most: limits.rssMB }, " MB"),
    limited(`${kind}: idle, anonymous`, seen.anonymousMB.median, { most: limits.anonymousMB }, " MB"),
  ]);
  return { rows, about: [about] };
}

/** bench/results/store.json */
export interface StoreResults extends About {
  table: { name: string; writesPerSecond: number; p50Ms: number; p99Ms: number }[];
  big: { entries: number; listMs: number; getUs: number };
}

/** No issue asks for figures of the store alone. */
export function storeSection({ table, big, ...about }: StoreResults): Section {
  const rows: Row[] = table.map(({ name, writesPerSecond, p50Ms, p99Ms }) => {
    return free(`writes/s, ${name}`, `${writesPerSecond}; p50 ${p50Ms} ms, p99 ${p99Ms} ms`);
  });
  rows.push(free(`SQLite: list of ${big.entries} entries; one get`, `${big.listMs} ms; ${big.getUs} µs`));
  return { rows, about: [about] };
}

/** bench/results/dns.json */
export interface DnsResults extends About {
  table: {
    server: string;
    type: string;
    perSecond: number;
    cpuMicros: number;
    oursToIt: number;
    spread: number[];
    oursToItByCpu: number;
  }[];
}

const dnsLimits: Record<string, number> = { unbound: 0.9, coredns: 2 };

export function dnsSection({ table, ...about }: DnsResults): Section {
  const rows = table.map(({ server, type, perSecond, cpuMicros, oursToIt, spread, oursToItByCpu }): Row => {
    const least = dnsLimits[server];
    if (least === undefined) return free(`${type} answers/s, ours`, `${perSecond}; ${cpuMicros} µs of CPU each`);
    return {
      what: `${type} answers/s, times ${server}'s`,
      asked: `>= ${least}`,
      seen: `${oursToIt} (${spread.join("-")}); by CPU time ${oursToItByCpu}`,
      held: oursToIt >= least,
    };
  });
  return { rows, about: [about] };
}

/** bench/results/discoverd.json: its parts bring their rows. */
export type DiscoverdResults = Record<string, About & { rows: Row[] }>;

const discoverdParts = ["register", "batch", "heartbeat", "watch", "crowd", "restart"];

export function discoverdSection(results: DiscoverdResults): Section {
  const parts = discoverdParts.flatMap((name) => results[name] ?? []);
  return { rows: parts.flatMap(({ rows }) => rows), about: parts };
}

export function free(what: string, seen: string): Row {
  return { what, asked: "-", seen, held: undefined };
}
