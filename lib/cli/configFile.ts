import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { hint } from "./didYouMean.ts";
import { longNames } from "./names.ts";
import { UsageError } from "./usageError.ts";
import type { Options } from "./verb.ts";

/**
 * Reads a configuration file: a map of option names (`data-dir` or `dataDir`) to values, at the top for all verbs or
 * under a verb's name for that verb, which goes first. The extension tells the language: .json, .toml, .yaml or .yml.
 * @returns texts by option key.
 * @throws {UsageError} for a file that cannot be read or parsed, and for any key that no verb knows.
 */
export async function readConfigFile(
  path: string,
  verbName: string,
  verbs: Readonly<Record<string, Options>>,
): Promise<Map<string, string[]>> {
  return configValues(await parseConfig(path), path, verbName, verbs);
}

/** The pure half of `readConfigFile`: the document's keys against what the verbs know. */
export function configValues(
  document: unknown,
  path: string,
  verbName: string,
  verbs: Readonly<Record<string, Options>>,
): Map<string, string[]> {
  const top = mapOf(document ?? {}, path, "");
  const values = new Map<string, string[]>();
  const own = verbs[verbName] ?? {};
  const everyName = Object.values(verbs).flatMap(namesOf);
  for (const [name, value] of Object.entries(top)) {
    if (name in verbs && isMap(value)) continue;
    const key = keyOf(own, name);
    if (key !== undefined) values.set(key, textsOf(value, path, name));
    else if (!Object.values(verbs).some((options) => keyOf(options, name) !== undefined)) {
      throw unknownKey(path, name, [...everyName, ...Object.keys(verbs)]);
    }
  }
  for (const [verb, options] of Object.entries(verbs)) {
    const section = Object.hasOwn(top, verb) ? top[verb] : undefined;
    if (!isMap(section)) continue;
    for (const [name, value] of Object.entries(section)) {
      const key = keyOf(options, name);
      if (key === undefined) throw unknownKey(path, `${verb}.${name}`, namesOf(options), name);
      if (verb === verbName) values.set(key, textsOf(value, path, `${verb}.${name}`));
    }
  }
  return values;
}

function namesOf(options: Options): string[] {
  return Object.entries(options).flatMap(([key, option]) => longNames(key, option));
}

function keyOf(options: Options, name: string): string | undefined {
  return Object.keys(options).find((key) => {
    const option = options[key];
    return key !== "config" && option !== undefined && (key === name || longNames(key, option).includes(name));
  });
}

function unknownKey(path: string, shown: string, names: readonly string[], typed = shown): UsageError {
  return new UsageError(`${path}: unknown key ${JSON.stringify(shown)}${hint(typed, names)}`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function mapOf(value: unknown, path: string, at: string): Record<string, unknown> {
  if (isMap(value)) return value;
  throw new UsageError(`${path}: expected a map of option names to values${at}`);
}

function textsOf(value: unknown, path: string, name: string): string[] {
  const items = Array.isArray(value) ? value : [value];
  return items.map((item) => {
    if (["string", "number", "boolean", "bigint"].includes(typeof item)) return String(item);
    throw new UsageError(`${path}: ${name}: expected a text, a number, true or false, or a list of them`);
  });
}

async function parseConfig(path: string): Promise<unknown> {
  const parse = await parserFor(extname(path).toLowerCase(), path);
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--config ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return parse(source);
  } catch (error) {
    const [what = ""] = (error as Error).message.split("\n");
    throw new UsageError(`${path}: ${what.replace(/:$/, "")}`, { cause: error });
  }
}

async function parserFor(extension: string, path: string): Promise<(source: string) => unknown> {
  switch (extension) {
    case ".json":
      return JSON.parse;
    case ".toml":
      return await tomlParser();
    case ".yaml":
    case ".yml": {
      const { parse } = await import("yaml");
      return (source) => parse(source, { maxAliasCount: 100 });
    }
    default:
      throw new UsageError(`--config ${path}: expected a file named .json, .toml, .yaml or .yml`);
  }
}

/** Its errors tell the place as those of the YAML parser do. */
async function tomlParser(): Promise<(source: string) => unknown> {
  const { parse, TomlError } = await import("smol-toml");
  return (source) => {
    try {
      return parse(source);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const [what] = error.message.split("\n");
      throw new Error(`${what} at line ${error.line}, column ${error.column}`, { cause: error });
    }
  };
}
