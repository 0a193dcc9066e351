import { build } from "esbuild";
import { BuildError } from "./BuildError.ts";
import { leanZod } from "./leanZod.ts";

/**
 * Bundles `entry` and all that it imports into one file that Bun and Deno run. Files imported `with { type: "text" }` are
 * in it. Names stay readable, for the stack traces; licences of what is bundled stand at its end.
 *
 * @param root folder that file names in messages are relative to
 * @returns the script, which begins with `#!/usr/bin/env bun`
 * @throws BuildError `bundle-failed` with esbuild's first errors
 */
export async function bundleScript(root: string, entry: string): Promise<Buffer> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "esnext",
    external: ["bun", "bun:*"],
    plugins: [leanZod],
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "eof",
    // CommonJS packages call require() for Node's modules, which an ES module does not have by itself.
    banner: {
      js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
    },
    logLevel: "silent",
  }).catch((error: { errors?: { text: string; location: { file: string; line: number } | null }[] }) => {
    const lines = (error.errors ?? []).map(({ text, location }) =>
      location ? `${location.file}:${location.line}: ${text}` : text,
    );
    throw new BuildError("bundle-failed", lines.slice(0, 5).join("\n") || String(error));
  });
  for (const { text } of result.warnings) throw new BuildError("bundle-failed", `${entry}: ${text}`);
  const text = result.outputFiles[0]?.text ?? "";
  return Buffer.from(text.startsWith("#!") ? text : `#!/usr/bin/env bun\n${text}`); // else it stands in the entry
}
