import { envNames, longNames } from "./names.ts";
import type { Option } from "./options.ts";
import type { Given } from "./parseFlags.ts";
import { parseValue } from "./parseValue.ts";
import { UsageError } from "./usageError.ts";
import type { Options } from "./verb.ts";

/** Where values may come from, the first that has one wins: flags, environment, configuration file, default. */
export interface Sources {
  tool: string;
  given: Given;
  env: Readonly<Record<string, string | undefined>>;
  config: ReadonlyMap<string, readonly string[]>;
  /** The file's path, for messages. */
  configPath?: string | undefined;
}

/**
 * The options' values.
 * @throws {UsageError} that names the flag, variable or file key, and its value.
 */
export function resolveOptions(options: Options, sources: Sources): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(options)) values[key] = resolveOption(key, option, sources);
  return values;
}

/** One option's value, by the same rules. */
export function resolveOption(key: string, option: Option, sources: Sources): unknown {
  const flag = `--${longNames(key, option)[0]}`;
  const given = sources.given.options.get(key);
  if (given) return parsed(option, given, (text) => `${flag} ${quoted(text)}`);
  for (const name of envNames(sources.tool, key, option)) {
    const text = sources.env[name];
    // An empty variable is how scripts unset one.
    if (text === undefined || text === "") continue;
    const texts = option.settings.multiple ? text.split(",").map((part) => part.trim()) : [text];
    return parsed(option, texts, (part) => `${name}=${quoted(part)}`);
  }
  const configured = sources.config.get(key);
  if (configured) {
    if (configured.length > 1 && !option.settings.multiple) {
      throw new UsageError(`${sources.configPath}: ${longNames(key, option)[0]}: expected one value, got a list`);
    }
    return parsed(option, configured, (text) => `${sources.configPath}: ${longNames(key, option)[0]} ${quoted(text)}`);
  }
  return defaultOf(flag, option, envNames(sources.tool, key, option));
}

/**
 * The positionals' values, in order.
 * @throws {UsageError} naming the one that is missing, wrong or too many.
 */
export function resolveArguments(
  args: Options,
  positionals: readonly string[],
  extraArguments?: (extra: readonly string[]) => string,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  let next = 0;
  for (const [key, option] of Object.entries(args)) {
    const name = option.settings.metavar ?? key.toUpperCase();
    const texts = positionals.slice(next, option.settings.multiple ? undefined : next + 1);
    next += texts.length;
    values[key] =
      texts.length > 0 ? parsed(option, texts, (text) => `${name} ${quoted(text)}`) : defaultOf(name, option, []);
  }
  const extra = positionals.slice(next);
  if (extra.length === 0) return values;
  throw extraArguments
    ? new UsageError(extraArguments(extra), { showUsage: true })
    : new UsageError(`unexpected argument ${quoted(extra[0] ?? "")}`);
}

function parsed(option: Option, texts: readonly string[], name: (text: string) => string): unknown {
  const values = texts.map((text) => {
    try {
      return parseValue(option, text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw new UsageError(`${name(text)}: ${error.message}`, { cause: error });
    }
  });
  // As elsewhere on the command line, the last one given counts.
  return option.settings.multiple ? values : values.at(-1);
}

function defaultOf(name: string, option: Option, variables: readonly string[]): unknown {
  const { default: fallback, multiple, required } = option.settings;
  if (fallback === undefined) {
    if (required) throw new UsageError(`${name} is required${variables[0] ? ` (or ${variables[0]})` : ""}`);
    return multiple ? [] : undefined;
  }
  const parse = (value: unknown) => (typeof value === "string" ? parseValue(option, value) : value);
  if (!multiple) return parse(fallback);
  return (Array.isArray(fallback) ? fallback : [fallback]).map(parse);
}

/** Control characters would let a value rewrite the line that complains of it. */
function quoted(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return JSON.stringify(short);
}
