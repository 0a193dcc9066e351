import { configureSync, getLogger, type Logger as LogtapeLogger } from "@logtape/logtape";
import { formatJsonLine, formatTextLine, type LogLine } from "./formatLog.ts";
import type { Logger, LogLevel } from "./logger.ts";
import { writeText } from "./writeOut.ts";

export interface LoggerOptions {
  level: LogLevel;
  format: "text" | "json";
  colour: boolean;
  /** Default: stderr. */
  write?: (line: string) => void;
}

/**
 * The process's logger, over LogTape; `runTool` makes it. Parts get it handed on and never ask for it.
 *
 * @example
 * const log = createLogger("discoverd", { level: "info", format: "json", colour: false });
 * log.child("dns").warn("recursor does not answer", { recursor: "10.0.0.2" });
 */
export function createLogger(name: string, options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void writeText(2, line));
  const lowestLevel = options.level === "warn" ? "warning" : options.level;
  configureSync({
    reset: true,
    sinks: {
      lines(record) {
        const line: LogLine = {
          at: record.timestamp,
          level: record.level === "warning" ? "warn" : (record.level as LogLevel),
          name: record.category.join("."),
          // Not the rendered message: names from outside may hold braces, which are templates to LogTape.
          message: String(record.rawMessage),
          fields: record.properties,
        };
        write(options.format === "json" ? formatJsonLine(line) : formatTextLine(line, options.colour));
      },
    },
    loggers: [
      { category: [name], sinks: ["lines"], lowestLevel },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  return wrap(getLogger([name]), options.level === "debug");
}

function wrap(inner: LogtapeLogger, isDebug: boolean): Logger {
  return {
    // Each request has a line of it: LogTape would look through its loggers to find that nobody wants it.
    debug: (message, fields) => isDebug && inner.debug(message, { ...fields }),
    info: (message, fields) => inner.info(message, { ...fields }),
    warn: (message, fields) => inner.warn(message, { ...fields }),
    error: (message, fields) => inner.error(message, { ...fields }),
    child: (name) => wrap(inner.getChild(name), isDebug),
  };
}
