import { bash, fish, type ShellCompletion, zsh } from "@optique/core/completion";
import { object } from "@optique/core/constructs";
import { message, text } from "@optique/core/message";
import { multiple, optional } from "@optique/core/modifiers";
import { type Parser, type Suggestion, suggestSync } from "@optique/core/parser";
import { argument, negatableFlag, option as optiqueOption } from "@optique/core/primitives";
import type { ValueParser } from "@optique/core/valueparser";
import { optionsOf } from "./commonOptions.ts";
import { hint } from "./didYouMean.ts";
import { longNames, metavarOf } from "./names.ts";
import type { Option } from "./options.ts";
import { UsageError } from "./usageError.ts";
import type { Tool, Verb } from "./verb.ts";

const shells: Readonly<Record<string, ShellCompletion>> = { bash, zsh, fish };
const shellNames = Object.keys(shells);

/**
 * `TOOL completion SHELL`: the shell's script; `TOOL completion SHELL WORD...` (what the script calls): the candidates
 * for the last word.
 * @throws {UsageError} for an unknown shell.
 */
export function completion(tool: Tool, argv: readonly string[]): string {
  const [name = "", ...words] = argv;
  const shell = Object.hasOwn(shells, name) ? shells[name] : undefined;
  if (!shell) {
    throw new UsageError(
      `completion ${JSON.stringify(name)}: expected ${shellNames.join(", ")}${hint(name, shellNames)}`,
    );
  }
  if (words.length === 0) return shell.generateScript(tool.name, ["completion", name]);
  return [...shell.encodeSuggestions(candidates(tool, words))].join("");
}

/** What may stand in the place of the last word. */
export function candidates(tool: Tool, words: readonly string[]): readonly Suggestion[] {
  const verbs = tool.verbs.filter((verb) => !verb.hidden);
  const [verb] = verbs
    .filter(({ name }) => name.split(" ").every((word, i) => i < words.length - 1 && words[i] === word))
    .sort((a, b) => b.name.length - a.name.length);
  if (verb) return suggestSync(parserOf(verb), lastIncluded(words.slice(verb.name.split(" ").length)));
  const [first, ...others] = words;
  if (first === "completion" && others.length === 1) return startingWith(shellNames, others[0] ?? "");
  const typed = first === "help" && others.length > 0 ? others : words;
  const found = verbWords(verbs, typed);
  if (words.length > 1) return found;
  found.push(...startingWith(["help", "completion", "--help", "--version"], first ?? ""));
  const fallback = verbs.find(({ name }) => name === tool.defaultVerb);
  if (fallback) found.push(...suggestSync(parserOf(fallback), lastIncluded(words)));
  return found.filter((one, i) => found.findIndex((other) => nameOf(other) === nameOf(one)) === i);
}

function verbWords(verbs: readonly Verb[], typed: readonly string[]): Suggestion[] {
  const last = typed.length - 1;
  return verbs.flatMap((verb) => {
    const words = verb.name.split(" ");
    const word = words[last];
    const fits = words.slice(0, last).every((each, i) => each === typed[i]) && word?.startsWith(typed[last] ?? "");
    if (!word || !fits) return [];
    return [{ kind: "literal", text: word, description: [text(verb.summary)] } satisfies Suggestion];
  });
}

function startingWith(words: readonly string[], start: string): Suggestion[] {
  return words.filter((word) => word.startsWith(start)).map((word) => ({ kind: "literal", text: word }));
}

function nameOf(suggestion: Suggestion): string {
  return suggestion.kind === "literal" ? suggestion.text : `(${suggestion.type})`;
}

function lastIncluded(words: readonly string[]): [string, ...string[]] {
  const [first = "", ...rest] = words;
  return [first, ...rest];
}

type Dashed = `--${string}`;

function parserOf(verb: Verb): Parser<"sync", unknown, unknown> {
  const fields: Record<string, Parser<"sync", unknown, unknown>> = {};
  for (const [key, option] of Object.entries(optionsOf(verb))) {
    if (option.settings.hidden) continue;
    const names = longNames(key, option).map((name): Dashed => `--${name}`) as [Dashed, ...Dashed[]];
    const description = message`${text(option.settings.description)}`;
    const one: Parser<"sync", unknown, unknown> =
      option.kind === "flag"
        ? negatableFlag({ positive: names, negative: [`--no-${names[0].slice(2)}`] }, { description })
        : optiqueOption(...names, valuesOf(option), { description });
    fields[key] = option.settings.multiple ? multiple(one) : optional(one);
  }
  for (const [key, option] of Object.entries(verb.args)) {
    const one = argument(valuesOf(option), { description: message`${text(option.settings.description)}` });
    fields[key] = option.settings.multiple ? multiple(one) : optional(one);
  }
  return object(fields);
}

/** Any text while completing; suggestions by kind: choices, schemes, files. */
function valuesOf(option: Option): ValueParser<"sync", string> {
  const { choices, schemes } = option.settings;
  return {
    mode: "sync",
    metavar: (metavarOf(option) || "VALUE") as "VALUE",
    placeholder: "",
    parse: (value) => ({ success: true, value }),
    format: (value) => value,
    *suggest(start) {
      if (option.kind === "file") yield { kind: "file", type: "any", pattern: start };
      yield* startingWith(choices ?? (schemes ?? []).map((scheme) => `${scheme}:`), start);
    },
  };
}
