import { parseArgs } from "node:util";
import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";

export const help = `Usage: bun build.ts [TOOL...] [options]

  bun build.ts                     everything: scripts, binaries and images, into dist/
  bun build.ts discoverd           one tool
  bun build.ts --arch arm64        for another processor, into dist/arm64/

Options:
  --arch x64|arm64   the processor to build for (default: this machine's)
  --out DIR          where to (default: dist, or dist/ARCH for another processor)
  --no-static        binaries that use the machine's own C library; no images
  --no-images        no images
  --if-changed       only what the tree's sources changed since it was built
  -h, --help         this text
`;

/** What `bun build.ts` was asked for. */
export interface BuildArguments {
  help: boolean;
  /** Names of tools; none for all. */
  tools: string[];
  arch: Arch;
  /** Output folder as given. */
  out: string | undefined;
  static: boolean;
  images: boolean;
  /** Leave alone what was built from the same sources before. */
  ifChanged: boolean;
}

/** Reads the command line of build.ts. @throws BuildError `usage` */
export function buildArguments(words: string[], hostArch: Arch): BuildArguments {
  const { values, positionals } = parse(words);
  const arch = values.arch ?? hostArch;
  if (!isArch(arch)) throw new BuildError("usage", `--arch ${arch}: must be x64 or arm64`);
  const isStatic = !values["no-static"];
  return {
    help: values.help ?? false,
    tools: positionals,
    arch,
    out: values.out,
    static: isStatic,
    images: isStatic && !values["no-images"],
    ifChanged: values["if-changed"] ?? false,
  };
}

/** Whether binaries are built for a processor of this name (`process.arch`). */
export function isArch(name: string): name is Arch {
  return Object.hasOwn(archFacts, name);
}

function parse(words: string[]) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        arch: { type: "string" },
        out: { type: "string" },
        "no-static": { type: "boolean" },
        "no-images": { type: "boolean" },
        "if-changed": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new BuildError("usage", error instanceof Error ? error.message : String(error));
  }
}
