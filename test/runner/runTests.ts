import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execute } from "./execute.ts";
import { countJunit } from "./junit.ts";

/** What came of one `bun test`. */
export interface TestRun {
  passed: number;
  failed: string[];
  seconds: number;
  /** What Bun wrote, without the lines of tests that passed. */
  output: string;
}

/**
 * Runs test files in one `bun test` and counts. What Bun's report does not tell is counted as failed too: a file in which no test ran
 * (it did not load, or has none), a runner that crashed or had to be killed after `timeoutMs`, an error outside of any test.
 */
export async function runTests(
  files: string[],
  options: { timeoutMs: number; testMs: number; workers?: number; cwd?: string },
): Promise<TestRun> {
  const dir = mkdtempSync(join(tmpdir(), "quayside-check-"));
  const report = join(dir, "junit.xml");
  try {
    const spread = options.workers ? [`--parallel=${options.workers}`] : ["--isolate"];
    const reporter = ["--reporter=junit", `--reporter-outfile=${report}`, `--timeout=${options.testMs}`];
    const argv = [process.execPath, "test", ...spread, ...reporter, ...files.map((file) => `./${file}`)];
    const { code, output, seconds, timedOut } = await execute(argv, options);
    const counts = countJunit(readText(report));
    const failed = [...counts.failed];
    if (timedOut) failed.push(`${files.join(" ")}: not done after ${options.timeoutMs / 1000} s, killed`);
    else {
      for (const file of files) if (!counts.files.includes(file)) failed.push(`${file}: no test in it ran`);
      if (code !== 0 && failed.length === 0)
        failed.push(`${files.join(" ")}: bun test ended with ${code}, though no test failed`);
    }
    const worthReading = output.split("\n").filter((line) => !line.startsWith("(pass) "));
    return { passed: counts.passed, failed, seconds, output: worthReading.join("\n") };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Bun writes no report where nothing ran
  }
}
