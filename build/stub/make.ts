// bun build/stub/make.ts: compiles the stub for all processors and writes stubs.ts. Needs both gcc's (see README.md).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Arch, archFacts } from "../arch.ts";
import { compileStub, stubCompiler, stubSourceHash } from "./compileStub.ts";

const entries = (Object.keys(archFacts) as Arch[]).map((arch) => {
  const compiler = stubCompiler(arch);
  if (compiler === undefined) throw new Error(`${archFacts[arch].compiler} is not installed`);
  const lines =
    compileStub(arch)
      .toString("base64")
      .match(/.{1,112}/g) ?? [];
  const base64 = lines.map((line) => `      "${line}",`).join("\n");
  return `  ${arch}: {\n    compiler: ${JSON.stringify(compiler)},\n    base64: [\n${base64}\n    ].join(""),\n  },`;
});
writeFileSync(
  join(import.meta.dirname, "stubs.ts"),
  `// Written by make.ts from stub.c and stub.ld; do not edit.
import type { Arch } from "../arch.ts";

/** SHA-256 of the sources that the stubs below were compiled from ({@link stubSourceHash}). */
export const stubsMadeFrom = "${stubSourceHash()}";

/** The stub for each processor: its code, and the compiler that made it. */
export const stubs: Readonly<Record<Arch, { compiler: string; base64: string }>> = {
${entries.join("\n")}
};
`,
);
