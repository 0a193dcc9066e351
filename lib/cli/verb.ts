import type { Logger } from "./logger.ts";
import type { Option } from "./options.ts";

export type Options = Readonly<Record<string, Option>>;

/** The values of a set of definitions, by the same keys. */
export type Values<O extends Options> = { [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** How one column of a table is made; a plain string is the key and (in capitals) the title. */
export interface Column<R> {
  key: string;
  /** Default: the key in capitals. */
  title?: string;
  align?: "left" | "right";
  /** Default: `row[key]`. */
  value?: (row: R) => unknown;
  /** Cells are cut to this width on terminals. Default: what the terminal leaves. */
  max?: number;
}

/** What a verb gets to work with. */
export interface Context {
  readonly log: Logger;
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
  readonly signal: AbortSignal;
  /** `--json` was given: print machine-readable output only. */
  readonly json: boolean;
  /** stdout is a terminal. */
  readonly isTerminal: boolean;
  /** Colours are wanted on stdout (terminal, and no NO_COLOR). */
  readonly colour: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The tool's name and version, as in package.json. */
  readonly tool: string;
  readonly version: string;
  /** One line (or text with its own line ends) to stdout. Ends the process with 0 when the reader has gone. */
  out(text: string): void;
  /** Rows as aligned columns, or as a JSON array with `--json`. */
  table<R extends object>(rows: readonly R[], columns: readonly (string | Column<R>)[]): void;
}

/** The exit code; nothing means 0. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return is what most verbs are
export type VerbResult = number | undefined | void;

export interface VerbDefinition<O extends Options, A extends Options> {
  /** "serve", or two words: "service add". */
  name: string;
  /** One line, lower case, no full stop. */
  summary: string;
  /** Paragraphs for the verb's own help. */
  description?: string;
  /** [command line, what it does]; the help begins with them. */
  examples: readonly (readonly [command: string, what: string])[];
  /** Keys in camelCase; `dataDir` is `--data-dir`. */
  options?: O;
  /** Positionals in order; `multiple` only on the last. Optional unless `required`. */
  args?: A;
  /** Whether `--json` exists. Default true; false for servers. */
  json?: boolean;
  /** Parse as Go's flag package does: `-ip x`, `-ip=x`, `-internal=true`, all before the positionals. */
  goFlags?: boolean;
  /** With `goFlags`: the message for positionals too many. */
  extraArguments?: (extra: readonly string[]) => string;
  /** Further exit codes than 0, 1 and 2. */
  exitCodes?: readonly (readonly [code: number, meaning: string])[];
  /** Not listed in the tool's help. */
  hidden?: boolean;
  /** A number is the exit code; nothing means 0. Heavy parts belong behind `import()` in here. */
  run: (context: Context, values: Values<O> & Values<A>) => VerbResult | Promise<VerbResult>;
}

/** A verb with its types erased; made by `verb()`. */
export interface Verb extends Omit<VerbDefinition<Options, Options>, "run" | "options" | "args"> {
  readonly options: Options;
  readonly args: Options;
  readonly run: (context: Context, values: Record<string, unknown>) => unknown;
}

export interface Tool {
  name: string;
  /** One line, lower case, no full stop. */
  summary: string;
  description?: string;
  /** Examples for the tool's own help. Default: the first of each verb. */
  examples?: readonly (readonly [command: string, what: string])[];
  verbs: readonly Verb[];
  /** The verb that runs when the command line names none (`registrator consul://...`). */
  defaultVerb?: string;
}

/**
 * Defines a verb; `values` in `run` has the types of the options and arguments.
 *
 * @example
 * const serve = verb({
 *   name: "serve",
 *   summary: "run the daemon",
 *   examples: [["discoverd serve --listen 127.0.0.1:1111", "serve the API on loopback"]],
 *   options: { listen: listenAddress({ description: "where the API listens", default: "127.0.0.1:1111" }) },
 *   json: false,
 *   run: async (context, values) => (await import("./discoverd/serve.ts")).serve(context, values.listen),
 * });
 */
// biome-ignore lint/complexity/noBannedTypes: {} is "no options" and adds no keys to the values
export function verb<const O extends Options = {}, const A extends Options = {}>(
  definition: VerbDefinition<O, A>,
): Verb {
  const { run, options, args, ...rest } = definition;
  return { ...rest, options: options ?? {}, args: args ?? {}, run: run as Verb["run"] };
}
