import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const file = join(root, "bench", "results", "registrator.json");

/** Writes one part's figures beside those of the other parts, with the commit that they were measured at. */
export function writeFigures(part: string, figures: object): void {
  const git = (...words: string[]) =>
    Bun.spawnSync(["git", ...words], { cwd: root })
      .stdout.toString()
      .trim();
  const commit = git("rev-parse", "--short", "HEAD");
  const changed = git("status", "--porcelain", "tools/registrator", "tools/registrator.ts", "lib") !== "";
  const before = readFigures();
  const about = {
    commit: changed ? `${commit} and changes` : commit,
    date: new Date().toISOString(),
    cpus: navigator.hardwareConcurrency,
    /** Over the last minute: times tell of the neighbours too when it is above the number of cores. */
    load: Number(loadavg()[0]?.toFixed(2)),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...before, [part]: { ...about, ...figures } }, null, 2)}\n`);
}

function readFigures(): object {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // The first time.
    return {};
  }
}

/** The value below which `share` of them lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1));
}
