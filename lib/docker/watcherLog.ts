/** Where a watcher tells what happens; any logger of lib/cli fits. */
export interface WatcherLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}
