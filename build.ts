// bun build.ts [TOOL...]: scripts, binaries and images of the tools. `--help` tells more, docs/building.md all.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildArguments, help, isArch } from "./build/arguments.ts";
import { BuildError } from "./build/BuildError.ts";
import { buildPrograms } from "./build/buildPrograms.ts";
import { choosePrograms, findPrograms } from "./build/programs.ts";

const root = import.meta.dirname;

try {
  if (!isArch(process.arch)) throw new BuildError("wrong-arch", `cannot build on ${process.arch}; on x64 and arm64`);
  const asked = buildArguments(process.argv.slice(2), process.arch);
  if (asked.help) {
    console.log(help);
  } else {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    const programs = choosePrograms(findPrograms(root), asked.tools);
    await buildPrograms({
      ...asked,
      root,
      version,
      out: resolve(asked.out ?? join(root, asked.arch === process.arch ? "dist" : `dist/${asked.arch}`)),
      programs,
    });
  }
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build: ${error.message}`);
  process.exitCode = error.code === "usage" || error.code === "unknown-tool" ? 2 : 1;
}
