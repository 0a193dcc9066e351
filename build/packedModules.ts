import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";
import { BuildError } from "./BuildError.ts";

/** A package, or module of one, that only few calls of a tool need: what of it is used, and the file that an import finds. */
interface Packed {
  module: string;
  names: string[];
  file: RegExp;
}

const packed: Packed[] = [
  { module: "yaml", names: ["parse"], file: /\/node_modules\/yaml\/dist\/index\.js$/ },
  { module: "smol-toml", names: ["parse", "TomlError"], file: /\/node_modules\/smol-toml\/dist\/index\.js$/ },
  {
    module: "@optique/core/completion",
    names: ["bash", "fish", "zsh"],
    file: /\/node_modules\/@optique\/core\/dist\/completion\.js$/,
  },
];

/**
 * A plugin for Bun's bundler that stores the modules above as compressed text: with its bytecode, a module takes six times
 * the room of its source, and these are needed for `--config FILE` and completions only. They are unpacked when imported,
 * which costs up to 5 ms then (yaml; the others nothing). An import of another name than those listed fails the build.
 *
 * @param root folder with node_modules
 */
export function packedModules(root: string): Bun.BunPlugin {
  return {
    name: "packed-modules",
    setup(builder) {
      for (const one of packed)
        builder.onLoad({ filter: one.file }, async () => ({
          contents: unpacking(await pack(root, one), one),
          loader: "js",
        }));
    },
  };
}

/** The names of one module as the body of a function that returns them. It must import nothing of Node. */
async function pack(root: string, { module, names }: Packed): Promise<string> {
  const result = await build({
    stdin: { contents: `export { ${names.join(", ")} } from ${JSON.stringify(module)};`, resolveDir: root },
    absWorkingDir: root,
    write: false,
    bundle: true,
    format: "iife",
    globalName: "packed",
    platform: "neutral", // of yaml the build in ES modules: smaller, and up in half the time
    target: "esnext",
    minify: true,
    legalComments: "none", // all licences stand in dist/licenses
    logLevel: "silent",
  }).catch((error: unknown) => {
    throw new BuildError("bundle-failed", `cannot pack ${module}: ${error instanceof Error ? error.message : error}`);
  });
  return `${result.outputFiles[0]?.text ?? ""}return packed`;
}

function unpacking(code: string, { names }: Packed): string {
  const text = deflateRawSync(code, { level: 9 }).toString("base64");
  // Not node:zlib, which takes longer to load than this to unpack: a binary always runs on Bun.
  return `const code = new TextDecoder().decode(Bun.inflateSync(Buffer.from("${text}", "base64")));
export const { ${names.join(", ")} } = new Function(code)();
`;
}
