export type LogLevel = "debug" | "info" | "warn" | "error";

/** What every part logs to; made once by `runTool` and handed on. Fields must hold no secrets. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger whose lines carry `name` after the parent's ("discoverd.dns"). */
  child(name: string): Logger;
}

/** Drops everything; for tests and libraries without a logger. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
