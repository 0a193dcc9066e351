import { escapeControl } from "./escapeControl.ts";
import type { LogLevel } from "./logger.ts";

export interface LogLine {
  /** Milliseconds since 1970. */
  at: number;
  level: LogLevel;
  /** "discoverd.dns" */
  name: string;
  message: string;
  fields: Readonly<Record<string, unknown>>;
}

const secret = /(^|[_-])(token|password|passwd|secret|authorization|cookie)$|[a-z](Token|Password|Secret)$/i;
const colours: Record<LogLevel, string> = { debug: "\x1b[2m", info: "\x1b[32m", warn: "\x1b[33m", error: "\x1b[31m" };
const reset = "\x1b[0m";

/** One JSON object a line: time, level, name, message, then the fields; errors as their message, secrets as "***". */
export function formatJsonLine(line: LogLine): string {
  const { at, level, name, message, fields } = line;
  const shown: Record<string, unknown> = { time: new Date(at).toISOString(), level, name, message };
  for (const [key, value] of Object.entries(fields)) shown[key in shown ? `${key}_` : key] = fieldValue(key, value);
  return `${safeJson(shown)}\n`;
}

/** "12:30:01 warn  discoverd.dns: message key=value", for people. */
export function formatTextLine(line: LogLine, colour: boolean): string {
  const { at, level, name, message, fields } = line;
  const clock = new Date(at).toTimeString().slice(0, 8);
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${textOf(fieldValue(key, value))}`)
    .join("");
  const word = level.padEnd(5);
  const head = colour ? `\x1b[2m${clock}${reset} ${colours[level]}${word}${reset}` : `${clock} ${word}`;
  return `${head} ${name}: ${escapeControl(message)}${colour && pairs ? `\x1b[2m${pairs}${reset}` : pairs}\n`;
}

function fieldValue(key: string, value: unknown): unknown {
  if (secret.test(key) && value !== undefined) return "***";
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  const { code } = value as { code?: unknown };
  return typeof code === "string" && !value.message.includes(code) ? `${value.message} (${code})` : value.message;
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : safeJson(value);
  return /^[^\s"=]+$/.test(text) ? escapeControl(text) : JSON.stringify(text);
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_, item) => (typeof item === "bigint" ? String(item) : item)) ?? String(value);
  } catch {
    // A cycle: a log line must never be the failure.
    return JSON.stringify({ unprintable: String(value) });
  }
}
