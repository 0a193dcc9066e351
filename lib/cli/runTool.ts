import { writeSync } from "node:fs";
import type { Tool } from "./verb.ts";
import { version } from "./version.ts";

/** "discoverd 0.1.0 (bun 1.4.5)" */
export function versionText(tool: string): string {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>;
  const engine = bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`;
  return `${tool} ${version} (${engine})`;
}

/**
 * Runs a tool with the process's arguments and ends the process with the verb's exit code: 0 done, 1 failed, 2 usage.
 * `--version` is answered before anything else is loaded.
 *
 * @example
 * await runTool({ name: "discoverd", summary: "service discovery with an API", verbs: [serve, services] });
 */
export async function runTool(tool: Tool, argv: readonly string[] = process.argv.slice(2)): Promise<never> {
  if (argv[0] === "--version" && argv.length === 1) {
    writeSync(1, `${versionText(tool.name)}\n`);
    process.exit(0);
  }
  const { main } = await import("./main.ts");
  return main(tool, argv);
}
