import { longNames } from "./names.ts";
import type { Given } from "./parseFlags.ts";
import { UsageError } from "./usageError.ts";
import type { Options } from "./verb.ts";

/**
 * Reads arguments as Go's flag package does: `-x v`, `-x=v`, `--x v`, `--x=v`; switches `-x` or `-x=true|false`; the
 * first argument that is no flag (or `--`) ends the flags. Names are an option's key, its kebab form and its aliases.
 * Messages are Go's: https://pkg.go.dev/flag.
 * @throws {UsageError}
 *
 * @example
 * goFlags({ ip: text({ description: "address to register" }) }, ["-ip", "10.0.0.1", "consul:"]);
 * // { options: Map { "ip" => ["10.0.0.1"] }, positionals: ["consul:"] }
 */
export function goFlags(options: Options, argv: readonly string[]): Given {
  const names = new Map<string, string>();
  for (const [key, option] of Object.entries(options)) {
    for (const name of [key, ...longNames(key, option)]) names.set(name, key);
    if (option.settings.short) names.set(option.settings.short, key);
  }
  const given: Given = { options: new Map(), positionals: [] };
  let i = 0;
  for (; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") {
      i++;
      break;
    }
    if (!token.startsWith("-") || token === "-") break;
    const body = token.slice(token.startsWith("--") ? 2 : 1);
    if (body === "" || body.startsWith("-") || body.startsWith("=")) throw bad(`bad flag syntax: ${token}`);
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const key = names.get(name);
    const option = key === undefined ? undefined : options[key];
    if (key === undefined || option === undefined) throw bad(`flag provided but not defined: -${name}`);
    let value = equals < 0 ? undefined : body.slice(equals + 1);
    if (option.kind === "flag") {
      value = goBool(name, value ?? "true");
    } else if (value === undefined) {
      value = argv[++i];
      if (value === undefined) throw bad(`flag needs an argument: -${name}`);
    }
    const before = option.settings.multiple ? given.options.get(key) : undefined;
    given.options.set(key, [...(before ?? []), value]);
  }
  given.positionals = argv.slice(i);
  return given;
}

const trueWords = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const falseWords = new Set(["0", "f", "F", "FALSE", "false", "False"]);

function goBool(name: string, text: string): string {
  if (trueWords.has(text)) return "true";
  if (falseWords.has(text)) return "false";
  throw bad(`invalid boolean value ${JSON.stringify(text)} for -${name}: parse error`);
}

function bad(message: string): UsageError {
  return new UsageError(message, { showUsage: true });
}

/** How many of the arguments are flags and their values: what follows is the command that a tool is to run, and its own `-h` is not ours. */
export function goFlagsEnd(options: Options, argv: readonly string[]): number {
  const takesValue = new Set<string>();
  for (const [key, option] of Object.entries(options)) {
    if (option.kind === "flag") continue;
    for (const name of [key, ...longNames(key, option)]) takesValue.add(name);
    if (option.settings.short) takesValue.add(option.settings.short);
  }
  let i = 0;
  for (; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--" || token === "-" || !token.startsWith("-")) break;
    if (takesValue.has(token.replace(/^--?/, ""))) i++;
  }
  return Math.min(i, argv.length);
}
