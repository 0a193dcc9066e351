import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";

const TIMEOUT_MS = 120_000;

/**
 * Compiled from the sources, split at each dynamic import, with bytecode. Measured on a tool with hono, zod-openapi,
 * prom-client and SQLite behind `import()` (`--version` / ready to serve): so 5 / 20 ms; from esbuild's split output the
 * same; from the one-file script 12 / 21 ms, since all of it is loaded; that without bytecode 29 / 54 ms.
 * A tool must do the same wherever it is started: it reads no .env, bunfig.toml, tsconfig or package.json of that folder.
 */
const flags = [
  "--compile --minify --splitting --bytecode --format=esm",
  "--no-compile-autoload-dotenv --no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig --no-compile-autoload-package-json",
]
  .join(" ")
  .split(" ");

/**
 * Compiles `entry` into one executable for `arch` based on the Bun executable `bun` ({@link baseBun}); it needs glibc.
 *
 * @throws BuildError `compile-failed` with what Bun says
 */
export async function compileBinary(arch: Arch, bun: string, entry: string, outfile: string): Promise<void> {
  const folder = dirname(outfile);
  mkdirSync(folder, { recursive: true });
  const foreign =
    arch === process.arch ? [] : [`--target=${archFacts[arch].bunTarget}`, `--compile-executable-path=${bun}`];
  // Bun makes its scratch file in the working folder, and moves it to outfile.
  const child = spawn(process.execPath, ["build", ...flags, ...foreign, entry, "--outfile", outfile], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0)
    throw new BuildError("compile-failed", `bun build ${entry} ended with ${code ?? "a signal"}:\n${said.trim()}`);
}
