import { optionsOf } from "./commonOptions.ts";
import { createContext, wantsColour } from "./createContext.ts";
import { createLogger } from "./createLogger.ts";
import { hint } from "./didYouMean.ts";
import { escapeControl } from "./escapeControl.ts";
import { ExitError } from "./exitError.ts";
import { goFlags, goFlagsEnd } from "./goFlags.ts";
import { toolHelp, usageLine, verbHelp, verbOf } from "./help.ts";
import { isTerminal } from "./isTerminal.ts";
import type { Logger, LogLevel } from "./logger.ts";
import type { Given } from "./parseFlags.ts";
import { reapOrphans } from "./reapOrphans.ts";
import { resolveArguments, resolveOption, resolveOptions, type Sources } from "./resolveValues.ts";
import { versionText } from "./runTool.ts";
import { stopCode, stopSignal } from "./stopSignal.ts";
import { UsageError } from "./usageError.ts";
import type { Tool, Verb } from "./verb.ts";
import { writeText } from "./writeOut.ts";

/** Everything of `runTool` but the quick answer to `--version`. Ends the process. */
export async function main(tool: Tool, argv: readonly string[]): Promise<never> {
  const running: Running = { tool };
  const end = (error: unknown) => process.exit(failed(running, error));
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
  return process.exit(await run(running, argv));
}

/** How far a run has come, for the line that tells of its failure. */
interface Running {
  readonly tool: Tool;
  verb?: Verb;
  log?: Logger;
  signal?: AbortSignal;
}

async function run(running: Running, argv: readonly string[]): Promise<number> {
  const { tool } = running;
  try {
    const asked = verbAsked(tool, argv);
    if ("text" in asked) return print(asked);
    if ("completion" in asked) return await complete(tool, asked.completion);
    const { verb } = asked;
    running.verb = verb;
    const given = await parse(verb, asked.rest);
    if (given === "help") return print({ text: verbHelp(tool, verb), code: 0 });
    if (given === "version") return print({ text: `${versionText(tool.name)}\n`, code: 0 });
    const values = await valuesOf(tool, verb, given);
    const log = loggerOf(tool, values);
    running.log = log;
    running.signal = stopSignal();
    reapOrphans();
    setTimeout(giveBackStart, startedMs).unref();
    const result = await verb.run(createContext(tool.name, log, running.signal, values.json === true), values);
    return typeof result === "number" ? result : 0;
  } catch (error) {
    return failed(running, error);
  }
}

/** What still runs then is a server, or waits. */
const startedMs = 1_000;

async function giveBackStart(): Promise<void> {
  const { releaseStartPages } = await import("../runtime/releaseStartPages.ts");
  await releaseStartPages();
}

type Asked =
  | { text: string; code: number }
  | { completion: readonly string[] }
  | { verb: Verb; rest: readonly string[] };

/** Which verb the command line names: its first words, else the default. */
function verbAsked(tool: Tool, argv: readonly string[]): Asked {
  const [first, ...rest] = argv;
  if (first === "completion" && !tool.verbs.some((verb) => verb.name === first)) return { completion: rest };
  if (first === "help" && !tool.verbs.some((verb) => verb.name === first)) {
    if (rest.length === 0) return { text: toolHelp(tool), code: 0 };
    const named = longestMatch(tool, rest);
    if (named) return { text: verbHelp(tool, named.verb), code: 0 };
    throw unknownVerb(tool, rest[0] ?? "");
  }
  if (first === "--help" || first === "-h") return { text: toolHelp(tool), code: 0 };
  if (first === "--version") return { text: `${versionText(tool.name)}\n`, code: 0 };
  const named = longestMatch(tool, argv);
  if (named) return named;
  if (tool.defaultVerb !== undefined) return { verb: verbOf(tool, tool.defaultVerb), rest: argv };
  if (first === undefined) return { text: toolHelp(tool), code: 2 };
  if (first.startsWith("-")) throw new UsageError(`a verb goes before ${first}: ${verbNames(tool).join(", ")}`);
  throw unknownVerb(tool, first);
}

function longestMatch(tool: Tool, argv: readonly string[]): { verb: Verb; rest: readonly string[] } | undefined {
  const matches = tool.verbs
    .map((verb) => ({ verb, words: verb.name.split(" ") }))
    .filter(({ words }) => words.every((word, i) => argv[i] === word))
    .sort((a, b) => b.words.length - a.words.length);
  const [best] = matches;
  return best && { verb: best.verb, rest: argv.slice(best.words.length) };
}

function verbNames(tool: Tool): string[] {
  return tool.verbs.filter((verb) => !verb.hidden).map((verb) => verb.name);
}

function unknownVerb(tool: Tool, typed: string): UsageError {
  const near = hint(typed, verbNames(tool));
  return new UsageError(
    `unknown verb ${JSON.stringify(typed)}${near || `; the verbs are ${verbNames(tool).join(", ")}`}`,
  );
}

async function parse(verb: Verb, argv: readonly string[]): Promise<Given | "help" | "version"> {
  const dashes = argv.indexOf("--");
  const takesCommand = verb.goFlags && Object.values(verb.args).some(({ settings }) => settings.multiple);
  const end = takesCommand ? goFlagsEnd(optionsOf(verb), argv) : dashes < 0 ? argv.length : dashes;
  const before = argv.slice(0, end);
  const ownsH = Object.values(verb.options).some(({ settings }) => settings.short === "h");
  if (before.includes("--help") || (before.includes("-h") && !ownsH) || (verb.goFlags && before.includes("-help")))
    return "help";
  if (before.includes("--version")) return "version";
  if (verb.goFlags) return goFlags(optionsOf(verb), argv);
  const { parseFlags } = await import("./parseFlags.ts");
  return parseFlags(optionsOf(verb), argv);
}

async function valuesOf(tool: Tool, verb: Verb, given: Given): Promise<Record<string, unknown>> {
  const options = optionsOf(verb);
  const sources: Sources = { tool: tool.name, given, env: process.env, config: new Map() };
  const path = options.config && resolveOption("config", options.config, sources);
  if (typeof path === "string") {
    const { readConfigFile } = await import("./configFile.ts");
    const verbs = Object.fromEntries(tool.verbs.map((each) => [each.name, optionsOf(each)]));
    sources.config = await readConfigFile(path, verb.name, verbs);
    sources.configPath = path;
  }
  return {
    ...resolveOptions(options, sources),
    ...resolveArguments(verb.args, given.positionals, verb.extraArguments),
  };
}

async function complete(tool: Tool, argv: readonly string[]): Promise<number> {
  const { completion } = await import("./completion.ts");
  return print({ text: completion(tool, argv), code: 0 });
}

function loggerOf(tool: Tool, values: Readonly<Record<string, unknown>>): Logger {
  const onTerminal = isTerminal(2);
  const wanted = values.logFormat;
  return createLogger(tool.name, {
    level: values.logLevel as LogLevel,
    format: wanted === "text" || wanted === "json" ? wanted : onTerminal ? "text" : "json",
    colour: wantsColour(onTerminal, process.env),
  });
}

/** Text to stdout, or to stderr when it is the answer to a mistake. */
function print(answer: { text: string; code: number }): number {
  writeText(answer.code === 0 ? 1 : 2, answer.text);
  return answer.code;
}

/** One line for what ended the verb; the code that says so. */
function failed({ tool, verb, log, signal }: Running, error: unknown): number {
  const say = (message: string) => writeText(2, `${tool.name}: ${escapeLines(message)}\n`);
  if (error instanceof UsageError) {
    const named = verb === undefined || verb.name === tool.defaultVerb ? tool.name : `${tool.name} ${verb.name}`;
    if (error.showUsage && verb) say(`${error.message}\nusage: ${usageLine(tool, verb)}\nsee ${named} --help`);
    else say(`${error.message} (see ${named} --help)`);
    return 2;
  }
  if (error instanceof ExitError) {
    if (error.message) say(error.message);
    return error.exitCode;
  }
  // What the first signal interrupted is not a failure to explain, but was not done either.
  if (signal?.aborted && wasStopped(error, signal)) return stopCode(signal);
  say(error instanceof Error ? error.message || error.name : String(error));
  log?.debug("stack of the failure", { stack: error instanceof Error ? error.stack : undefined });
  return 1;
}

function wasStopped(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}

function escapeLines(message: string): string {
  return message.split("\n").map(escapeControl).join("\n");
}
