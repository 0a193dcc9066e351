import { object } from "@optique/core/constructs";
import { formatMessage } from "@optique/core/message";
import { multiple } from "@optique/core/modifiers";
import { type Parser, parseSync } from "@optique/core/parser";
import { argument, negatableFlag, option as optiqueOption } from "@optique/core/primitives";
import type { ValueParser } from "@optique/core/valueparser";
import { hint } from "./didYouMean.ts";
import { longNames, metavarOf } from "./names.ts";
import { UsageError } from "./usageError.ts";
import type { Options } from "./verb.ts";

/** What a command line says, before it has a meaning: texts by option key, and the positionals. */
export interface Given {
  options: Map<string, string[]>;
  positionals: string[];
}

type Dashed = `--${string}`;

/**
 * Reads GNU-style arguments: `--name value`, `--name=value`, `-n value`, `--no-flag`, `--`.
 * @throws {UsageError} that names the argument at fault.
 *
 * @example
 * parseFlags({ store: text({ description: "..." }) }, ["--store", "memory:"]).options; // Map { "store" => ["memory:"] }
 */
export function parseFlags(options: Options, argv: readonly string[]): Given {
  const known = knownNames(options);
  const fields: Record<string, Parser<"sync", readonly (string | boolean)[], unknown>> = {};
  for (const [key, option] of Object.entries(options)) {
    const long = longNames(key, option).map((name): Dashed => `--${name}`);
    const names = (option.settings.short ? [...long, `-${option.settings.short}`] : long) as [Dashed, ...Dashed[]];
    fields[key] =
      option.kind === "flag"
        ? multiple(negatableFlag({ positive: names, negative: long.map(negated) as [Dashed, ...Dashed[]] }))
        : multiple(optiqueOption(...names, rawText(metavarOf(option), known)));
  }
  // No option key can be this one: keys are identifiers.
  fields["..."] = multiple(argument(rawText("ARGUMENT")));
  const result = parseSync(object(fields), argv);
  if (!result.success)
    throw new UsageError(unknownOption(options, known, argv) ?? oneLine(formatMessage(result.error)));
  const given: Given = { options: new Map(), positionals: [] };
  for (const [key, values] of Object.entries(result.value)) {
    const texts = values.map(String);
    if (key === "...") given.positionals = texts;
    else if (texts.length > 0) given.options.set(key, texts);
  }
  return given;
}

function negated(name: Dashed): Dashed {
  return `--no-${name.slice(2)}`;
}

function knownNames(options: Options): Set<string> {
  const names = new Set(["--help", "-h", "--version"]);
  for (const [key, option] of Object.entries(options)) {
    for (const name of longNames(key, option)) {
      names.add(`--${name}`);
      if (option.kind === "flag") names.add(`--no-${name}`);
    }
    if (option.settings.short) names.add(`-${option.settings.short}`);
  }
  return names;
}

/** Meaning comes later (flags, environment and files share it); here only an option in a value's place is refused. */
function rawText(metavar: string, known?: ReadonlySet<string>): ValueParser<"sync", string> {
  return {
    mode: "sync",
    metavar: (metavar || "VALUE") as "VALUE",
    placeholder: "",
    parse: (text) =>
      known?.has(text)
        ? { success: false, error: [{ type: "text", text: `expected a value, got the option ${text}` }] }
        : { success: true, value: text },
    format: (text) => text,
  };
}

function unknownOption(options: Options, known: ReadonlySet<string>, argv: readonly string[]): string | undefined {
  const takesValue = knownNames(Object.fromEntries(Object.entries(options).filter(([, o]) => o.kind !== "flag")));
  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") return undefined;
    if (!token.startsWith("-") || token === "-") continue;
    const name = token.startsWith("--") ? (token.split("=", 1)[0] ?? token) : token;
    if (!known.has(name)) return `unknown option ${name}${hint(name, [...known])}`;
    if (takesValue.has(name) && name === token) i++;
  }
  return undefined;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().replaceAll("`", "").replace(/\.$/, "");
}
