import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { getPriority, loadavg } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const file = join(root, "bench", "results", "discoverd.json");

/** One line of the table. */
export interface Row {
  what: string;
  asked: string;
  seen: string;
  held: boolean;
}

/** What a part brings: lines for people, and all else that it saw. */
export interface Figures {
  rows: Row[];
  [more: string]: unknown;
}

const git = (...words: string[]) =>
  Bun.spawnSync(["git", ...words], { cwd: root })
    .stdout.toString()
    .trim();

/** Asked before a part: the load that this bench makes itself is not its neighbours'. */
export function circumstances(): object {
  const commit = git("rev-parse", "--short", "HEAD");
  const changed = git("status", "--porcelain", "tools/discoverd", "tools/discoverd.ts", "lib") !== "";
  return {
    commit: changed ? `${commit} and changes` : commit,
    date: new Date().toISOString(),
    cpus: navigator.hardwareConcurrency,
    /** Over the minute before: above the number of cores, the figures tell more of the neighbours. */
    load: Number(loadavg()[0]?.toFixed(2)),
    /** 0 is usual; below it, all that was measured here went before the neighbours. */
    nice: getPriority(),
  };
}

/** Writes one part's figures beside those of the other parts. */
export function writeFigures(part: string, about: object, figures: Figures): void {
  let before: object = {};
  try {
    before = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // The first time.
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...before, [part]: { ...about, ...figures } }, null, 2)}\n`);
}

/** The value below which `share` of them lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** To three digits. */
export function spread(values: readonly number[]): Spread {
  const short = (value: number) => Number(value.toPrecision(3));
  return {
    min: short(Math.min(...values)),
    median: short(quantile(values, 0.5)),
    max: short(Math.max(...values)),
  };
}

export const told = ({ min, median, max }: Spread): string => `${median} (${min}-${max})`;
