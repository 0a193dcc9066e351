import { formatTable } from "./formatTable.ts";
import type { Logger } from "./logger.ts";
import type { Context } from "./verb.ts";
import { version } from "./version.ts";
import { writeText } from "./writeOut.ts";

/** The context of a verb on the process's own stdout. */
export function createContext(tool: string, log: Logger, signal: AbortSignal, json: boolean): Context {
  const { stdout, env } = process;
  const isTerminal = stdout.isTTY === true;
  const colour = wantsColour(isTerminal, env);
  const write = (text: string) => {
    // `TOOL ... | head`: the reader has what it wants.
    if (!writeText(1, text)) process.exit(0);
  };
  return {
    log,
    signal,
    json,
    isTerminal,
    colour,
    env,
    tool,
    version,
    out: (text) => write(text.endsWith("\n") ? text : `${text}\n`),
    table(rows, columns) {
      if (json) return write(`${JSON.stringify(rows, undefined, isTerminal ? 2 : undefined)}\n`);
      write(formatTable(rows, columns, { width: isTerminal ? stdout.columns : undefined, colour }));
    },
  };
}

/** https://no-color.org and its opposite. */
export function wantsColour(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return isTerminal && env.TERM !== "dumb";
}
