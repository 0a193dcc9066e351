import type { Options } from "../../../lib/cli/index.ts";

/** Switches that every verb has. */
const common = new Set(["json", "help", "h", "version"]);

/**
 * Go's flags end at the first word that is none; `explain web-1 --json` shall work all the same: for that verb, flags are
 * moved before the words.
 */
export function flagsFirst(verb: { name: string; options: Options }, argv: readonly string[]): string[] {
  if (argv[0] !== verb.name) return [...argv];
  const switches = new Set(
    Object.entries(verb.options).flatMap(([key, option]) => (option.kind === "flag" ? [key] : [])),
  );
  const flags: string[] = [];
  const words: string[] = [];
  for (let i = 1; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!token.startsWith("-") || token === "-") {
      words.push(token);
      continue;
    }
    flags.push(token);
    const name = token.replace(/^--?/, "");
    const takesNext = !name.includes("=") && !switches.has(name) && !common.has(name);
    if (takesNext && i + 1 < argv.length) flags.push(argv[++i] ?? "");
  }
  return [verb.name, ...flags, ...(words.length > 0 ? ["--", ...words] : [])];
}
