import { isCommon, optionsOf } from "./commonOptions.ts";
import { envNames, longNames, metavarOf } from "./names.ts";
import type { Option } from "./options.ts";
import { formatValue } from "./parseValue.ts";
import type { Tool, Verb } from "./verb.ts";

const exitCodes = [
  [0, "done"],
  [1, "failed"],
  [2, "usage: the command line, environment or configuration file is wrong; nothing was done"],
] as const;

/** The tool's own help: examples first, then the verbs. */
export function toolHelp(tool: Tool): string {
  const verbs = tool.verbs.filter((verb) => !verb.hidden);
  const examples = tool.examples ?? verbs.flatMap((verb) => verb.examples.slice(0, 1));
  const usage = tool.defaultVerb === undefined ? [] : [usageLine(tool, verbOf(tool, tool.defaultVerb))];
  return joined([
    `${tool.name}: ${tool.summary}`,
    block("Examples", exampleRows(examples)),
    `Usage\n  ${[...usage, `${tool.name} VERB [OPTION]...`].join("\n  ")}`,
    tool.description,
    block("Verbs", [
      ...verbs.map((verb) => [verb.name, verb.summary + (verb.name === tool.defaultVerb ? " (default)" : "")]),
      ["completion", "print the completions for bash, zsh or fish"],
      ["help VERB", "explain a verb"],
    ]),
    ...defaultVerbBlocks(tool),
    block("Options", [
      ["--help", "this, or a verb's own help after the verb"],
      ["--version", "print the version"],
    ]),
    block("Exit codes", codeRows(verbs.flatMap((verb) => verb.exitCodes ?? []))),
  ]);
}

/** A verb's help: examples, usage, options with defaults and variables, exit codes. */
export function verbHelp(tool: Tool, verb: Verb): string {
  return joined([
    `${tool.name} ${verb.name}: ${verb.summary}`,
    block("Examples", exampleRows(verb.examples)),
    `Usage\n  ${usageLine(tool, verb)}`,
    verb.description,
    block("Arguments", argumentRows(verb)),
    block("Options", optionRows(tool, verb, false)),
    block("Common options", [
      ...optionRows(tool, verb, true),
      ["--help, -h", "this text"],
      ["--version", "print the version"],
    ]),
    block("Exit codes", codeRows(verb.exitCodes ?? [])),
  ]);
}

/** Where the verb's word may be left out, the tool's help explains that verb too. */
function defaultVerbBlocks(tool: Tool): (string | undefined)[] {
  if (tool.defaultVerb === undefined) return [];
  const verb = verbOf(tool, tool.defaultVerb);
  return [
    block(`Arguments of ${verb.name}`, argumentRows(verb)),
    block(`Options of ${verb.name}`, [...optionRows(tool, verb, false), ...optionRows(tool, verb, true)]),
  ];
}

function argumentRows(verb: Verb): string[][] {
  return Object.entries(verb.args).map(([key, option]) => argumentRow(key, option));
}

function optionRows(tool: Tool, verb: Verb, common: boolean): string[][] {
  return Object.entries(optionsOf(verb))
    .filter(([key, option]) => !option.settings.hidden && isCommon(verb, key) === common)
    .map(([key, option]) => optionRow(tool, verb, key, option));
}

/** "discoverd serve [OPTION]... SERVICE [ID]" */
export function usageLine(tool: Tool, verb: Verb): string {
  const args = Object.entries(verb.args).map(([key, option]) => {
    const name = argumentName(key, option);
    const many = option.settings.multiple ? `${name}...` : name;
    return option.settings.required ? many : `[${many}]`;
  });
  const words = verb.name === tool.defaultVerb ? [tool.name] : [tool.name, verb.name];
  return [...words, "[OPTION]...", ...args].join(" ");
}

export function verbOf(tool: Tool, name: string): Verb {
  const verb = tool.verbs.find((candidate) => candidate.name === name);
  if (!verb) throw new Error(`${tool.name} has no verb ${name}`);
  return verb;
}

function argumentName(key: string, option: Option): string {
  return option.settings.metavar ?? key.toUpperCase();
}

function argumentRow(key: string, option: Option): [string, string] {
  return [argumentName(key, option), option.settings.description + notes(option, [])];
}

function optionRow(tool: Tool, verb: Verb, key: string, option: Option): [string, string] {
  const metavar = metavarOf(option);
  const dash = verb.goFlags && !isCommon(verb, key) ? "-" : "--";
  const on = option.kind === "flag" && option.settings.default === true ? "no-" : "";
  const long = longNames(key, option).map((name) => `${dash}${on}${name}`);
  const names = option.settings.short ? [`-${option.settings.short}`, ...long] : long;
  const left = metavar ? `${names.join(", ")} ${metavar}` : names.join(", ");
  return [left, option.settings.description + notes(option, envNames(tool.name, key, option))];
}

function notes(option: Option, variables: readonly string[]): string {
  const { default: fallback, multiple, required } = option.settings;
  const parts: string[] = [];
  if (required) parts.push("required");
  if (multiple) parts.push("may be repeated");
  if (fallback !== undefined && option.kind !== "flag") {
    const list = Array.isArray(fallback) ? fallback : [fallback];
    const text = list.map((value) => formatValue(option, value)).join(",");
    if (text !== "") parts.push(`default ${text}`);
  }
  if (variables.length > 0) parts.push(`env ${variables.join(", ")}`);
  return parts.length > 0 ? ` [${parts.join("; ")}]` : "";
}

function exampleRows(examples: readonly (readonly [string, string])[]): string[][] {
  return examples.map(([command, what]) => [command, `# ${what}`]);
}

function codeRows(own: readonly (readonly [number, string])[]): string[][] {
  return [...exitCodes, ...own].map(([code, meaning]) => [String(code), meaning]);
}

const widestLeft = 34;

function block(title: string, rows: readonly (readonly string[])[]): string | undefined {
  if (rows.length === 0) return undefined;
  const width = Math.min(widestLeft, Math.max(...rows.map(([left = ""]) => left.length)));
  const lines = rows.map(([left = "", right = ""]) =>
    left.length > width ? `  ${left}\n  ${" ".repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`,
  );
  return `${title}\n${lines.join("\n")}`;
}

function joined(parts: readonly (string | undefined)[]): string {
  return `${parts.filter((part) => part !== undefined && part !== "").join("\n\n")}\n`;
}
