/** What the client logs to; lib/cli's Logger fits. */
export interface ClientLog {
  warn(message: string, fields?: Record<string, unknown>): void;
  debug?(message: string, fields?: Record<string, unknown>): void;
}
