import { formatTable } from "./formatTable.ts";
import { isTerminal } from "./isTerminal.ts";
import type { Logger } from "./logger.ts";
import type { Context } from "./verb.ts";
import { version } from "./version.ts";
import { writeText } from "./writeOut.ts";

/** The context of a verb on the process's own stdout. */
export function createContext(tool: string, log: Logger, signal: AbortSignal, json: boolean): Context {
  const { env } = process;
  const onTerminal = isTerminal(1);
  const colour = wantsColour(onTerminal, env);
  const write = (text: string) => {
    // `TOOL ... | head`: the reader has what it wants.
    if (!writeText(1, text)) process.exit(0);
  };
  return {
    log,
    signal,
    json,
    isTerminal: onTerminal,
    colour,
    env,
    tool,
    version,
    out: (text) => write(text.endsWith("\n") ? text : `${text}\n`),
    table(rows, columns) {
      if (json) return write(`${JSON.stringify(rows, undefined, onTerminal ? 2 : undefined)}\n`);
      write(formatTable(rows, columns, { width: onTerminal ? process.stdout.columns : undefined, colour }));
    },
  };
}

/** https://no-color.org and its opposite. */
export function wantsColour(onTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return onTerminal && env.TERM !== "dumb";
}
