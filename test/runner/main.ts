/** What `./check` runs once Bun and the packages are there: `main.ts RING [FILTER...]`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type GoPart, isBuilt } from "../testbed/build.ts";
import { sweepLeftovers } from "../testbed/sweep.ts";
import { execute } from "./execute.ts";
import { goPartsFor } from "./goPartsFor.ts";
import { inLanes } from "./inLanes.ts";
import { Report } from "./Report.ts";
import { filesOf, type Ring } from "./rings.ts";
import { runTests } from "./runTests.ts";

const root = join(import.meta.dir, "..", "..");
const [ring = "all", ...filters] = process.argv.slice(2);
const rings: Ring[] = ring === "all" ? ["unit", "real", "mesh"] : ring === "real" ? ["real", "mesh"] : [ring as Ring];
/** Test files at a time: most of them wait for a server, a lease or a TTL, not for the processor. */
const lanes = 2;
const report = new Report();
const paths = [...new Bun.Glob("test/**/*.test.ts").scanSync(root)];
const files = { unit: of("unit"), real: of("real"), mesh: of("mesh") };

function of(each: Ring): string[] {
  return rings.includes(each) ? filesOf(each, paths, filters) : [];
}

/** Types, lint, unused code: each counts as one. Run by Bun itself, so that no node is needed. */
async function tools(): Promise<void> {
  const bin = (name: string) => join(root, "node_modules", ".bin", name);
  const checks = [
    { name: "types (tsc)", argv: [bin("tsc"), "--noEmit"] },
    { name: "lint and format (biome)", argv: [bin("biome"), "check", "--error-on-warnings", "."] },
    { name: "unused code (knip)", argv: [bin("knip"), "--no-progress"] },
  ];
  for (const { name, argv } of checks) {
    const { code, output, seconds } = await execute([process.execPath, "--bun", ...argv], {
      timeoutMs: 300_000,
      cwd: root,
    });
    const counts = code === 0 ? { passed: 1, failed: [] } : { passed: 0, failed: [`${name}: exit ${code}`] };
    report.add(name, seconds, counts, output);
  }
}

async function unit(): Promise<void> {
  if (filters.length === 0) await tools();
  if (files.unit.length === 0) return;
  const run = await runTests(files.unit, { timeoutMs: 600_000, testMs: 60_000, workers: 4, cwd: root });
  report.add(`unit tests (${files.unit.length} files)`, run.seconds, run, run.output);
}

/** One process a file: a file that hangs costs ten minutes, not the whole run. */
async function real(): Promise<void> {
  await inLanes([...files.real, ...files.mesh], { lanes, alone: wantsToBeAlone }, async (file) => {
    const run = await runTests([file], { timeoutMs: 600_000, testMs: 300_000, cwd: root });
    report.add(file, run.seconds, run, run.output);
    for (const dir of await sweepLeftovers()) report.fail(`${file}: it did not stop or remove what is in ${dir}`);
  });
}

/** A file that measures, or that hurts what others use too, says so in a comment of its own: `// alone: why`. */
function wantsToBeAlone(file: string): boolean {
  return /^\/\/ alone: /m.test(readFileSync(join(root, file), "utf8"));
}

/** The servers from Go modules; what is there already is not looked at again. @returns false when one could not be built. */
async function buildGoParts(missing: GoPart[]): Promise<boolean> {
  if (missing.length === 0) return true;
  const started = performance.now();
  report.say(`to be built from Go modules, once: ${missing.join(", ")} (docs/testbed.md)`);
  // In the background of the unit tests: nice, so that those keep their pace. Its own progress goes to stderr.
  const child = Bun.spawn(["nice", process.execPath, "test/testbed/build.ts", ...missing], {
    cwd: root,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const code = await child.exited;
  if (code === 0) report.say(`built ${missing.join(", ")}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  else report.fail(`building ${missing.join(", ")} from Go modules`);
  return code === 0;
}

/** Scripts, binaries and images, where they are older than the sources. */
async function buildProduct(): Promise<boolean> {
  const isForProduct = (file: string) => !file.startsWith("test/testbed/");
  if (![...files.real, ...files.mesh].some(isForProduct)) return true; // the testbed's own tests need none of it
  report.say("building the tools (build.ts --if-changed)");
  const { code, output, seconds } = await execute([process.execPath, "build.ts", "--if-changed"], {
    timeoutMs: 900_000,
    cwd: root,
  });
  if (code === 0) report.say(`ok   the tools are built: ${seconds.toFixed(1)} s`);
  else report.fail(`build.ts: exit ${code}`, output);
  return code === 0;
}

async function main(): Promise<void> {
  const empty = rings.filter((each) => files[each].length === 0);
  if (filters.length > 0 && empty.length === rings.length)
    return report.fail(`no test file of ${ring} has ${filters.join(" or ")} in its path`);
  if (filters.length === 0) for (const each of empty) report.fail(`there is no ${each} test`);

  const needsServers = files.real.length + files.mesh.length > 0;
  if (!needsServers) return rings.includes("unit") ? await unit() : undefined;

  const missing: GoPart[] = [];
  for (const part of goPartsFor([...files.real, ...files.mesh], root)) if (!(await isBuilt(part))) missing.push(part);
  if (missing.length > 0 && process.env.QUAYSIDE_INSTALL === "no") {
    return report.fail(
      `${missing.join(", ")} not built: bun test/testbed/build.ts ${missing.join(" ")} (or run without --no-install)`,
    );
  }
  for (const dir of await sweepLeftovers()) report.say(`removed what a dead test run left: ${dir}`);
  const goBuilt = buildGoParts(missing);
  if (rings.includes("unit")) await unit();
  const ready = [await buildProduct(), await goBuilt];
  if (ready.includes(false))
    return report.fail("the real and mesh tests were not run: what they need could not be built");
  await real();
}

await main().catch((error: unknown) => {
  const [what, why] = error instanceof Error ? [error.message, error.stack] : [String(error), ""];
  report.fail(`check itself: ${what}`, why);
});
process.exit(report.end());
