import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";
import { leanZod } from "./leanZod.ts";
import { packedModules } from "./packedModules.ts";

/**
 * Compiles `entry` into one executable for `arch` based on the Bun executable `bun` ({@link baseBun}); it needs glibc.
 *
 * From the sources, split at each dynamic import, with bytecode. Measured on a tool with hono, zod-openapi, prom-client
 * and SQLite behind `import()` (`--version` / ready to serve): so 5 / 20 ms; from esbuild's split output the same; from the
 * one-file script 12 / 21 ms, since all of it is loaded; that without bytecode 29 / 54 ms.
 *
 * @throws BuildError `compile-failed` with what Bun says
 */
export async function compileBinary(arch: Arch, bun: string, entry: string, outfile: string): Promise<void> {
  const foreign = arch === process.arch ? {} : { target: archFacts[arch].bunTarget, executablePath: bun };
  try {
    await Bun.build({
      entrypoints: [entry],
      minify: true,
      splitting: true,
      bytecode: true,
      format: "esm",
      plugins: [leanZod, packedModules(process.cwd())],
      compile: {
        outfile,
        ...foreign,
        // A tool must do the same wherever it is started.
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
      },
    });
  } catch (error) {
    const all = error instanceof AggregateError ? error.errors : [error];
    throw new BuildError("compile-failed", `cannot compile ${entry}:\n${all.slice(0, 5).map(String).join("\n")}`);
  }
}
