/** What the engine logs to; lib/cli's Logger fits. */
export interface EngineLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export const noLog: EngineLog = { debug() {}, info() {}, warn() {}, error() {} };
