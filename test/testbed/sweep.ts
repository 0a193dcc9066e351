import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFreeLocks } from "./locks.ts";
import { removeNetwork } from "./network.ts";
import { processEntry } from "./procfs.ts";
import { networkFile, ownerFile, scratchPrefix } from "./scratch.ts";
import { removeEngineTraces } from "./traces.ts";

/**
 * Removes what test processes that no longer live have left: processes, mounts, namespaces, bridges, rules, directories.
 * What a living process owns is not touched, so it may be called while others test.
 *
 * @returns the directories that were removed.
 */
export async function sweepLeftovers(): Promise<string[]> {
  const left = readdirSync(tmpdir())
    .filter((name) => ownerOf(name) !== undefined)
    .map((name) => join(tmpdir(), name))
    .filter(ownerIsDead);
  // Engines first: a namespace with processes in it would live on without a name.
  for (const dir of left.filter((each) => !existsSync(join(each, networkFile)))) await removeEngineTraces(dir);
  for (const dir of left) {
    const network = readText(join(dir, networkFile)).trim();
    if (/^qs\d+-\d+$/.test(network)) await removeNetwork(network);
    rmSync(dir, { recursive: true, force: true });
  }
  removeFreeLocks();
  return left;
}

/** The owner's pid that a scratch directory's name tells. */
function ownerOf(name: string): number | undefined {
  const [prefix, pid, number, ...more] = name.split("-");
  if (prefix !== scratchPrefix || more.length > 0 || !/^\d+$/.test(pid ?? "") || !/^\d+$/.test(number ?? ""))
    return undefined;
  return Number(pid);
}

function ownerIsDead(dir: string): boolean {
  const pid = ownerOf(dir.slice(tmpdir().length + 1));
  const owner = pid === undefined ? undefined : processEntry(pid);
  if (!owner) return true;
  const started = readText(join(dir, ownerFile));
  return started !== "" && started !== owner.startTime; // the pid lives, but it is another process
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // not there
  }
}
