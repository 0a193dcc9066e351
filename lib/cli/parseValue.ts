import { accessSync, constants } from "node:fs";
import { isIPv4, isIPv6 } from "../runtime/ipAddress.ts";
import { hint } from "./didYouMean.ts";
import type { ListenAddress, Option } from "./options.ts";
import { UsageError } from "./usageError.ts";

/**
 * The value that a text stands for, by the option's kind.
 * @throws {UsageError} that says what is accepted; it does not name the option, the caller does.
 */
export function parseValue(option: Option, text: string): unknown {
  const { settings } = option;
  switch (option.kind) {
    case "text":
      return text;
    case "flag":
      return parseFlag(text);
    case "integer":
      return parseInteger(text, settings.min, settings.max);
    case "duration":
      return inRange(parseDuration(text), settings.min, settings.max, (ms) => formatDuration(ms));
    case "choice":
      return parseChoice(text, settings.choices ?? []);
    case "listenAddress":
      return parseListenAddress(text);
    case "url":
      return parseUrl(text, settings.schemes);
    case "file":
      return parseFile(text, settings.mustExist ?? false);
  }
}

/** How a value is written in help: the inverse of `parseValue`. */
export function formatValue(option: Option, value: unknown): string {
  if (typeof value === "string") return value;
  if (option.kind === "duration" && typeof value === "number") return formatDuration(value);
  if (option.kind === "listenAddress") return formatAddress(value as ListenAddress);
  return String(value);
}

const yes = new Set(["true", "yes", "on", "1"]);
const no = new Set(["false", "no", "off", "0"]);

function parseFlag(text: string): boolean {
  const word = text.toLowerCase();
  if (yes.has(word)) return true;
  if (no.has(word)) return false;
  throw new UsageError("expected true or false");
}

/** @throws {UsageError} when it is not a whole number from `min` (default 0) to `max`. */
export function parseInteger(text: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!/^[+-]?\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw new UsageError("expected a whole number");
  return inRange(value, min, max, String);
}

function inRange(value: number, min: number | undefined, max: number | undefined, show: (n: number) => string): number {
  const low = min ?? 0;
  const high = max ?? Number.MAX_SAFE_INTEGER;
  if (value >= low && value <= high) return value;
  throw new UsageError(
    high === Number.MAX_SAFE_INTEGER ? `must be at least ${show(low)}` : `must be from ${show(low)} to ${show(high)}`,
  );
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of "250ms", "10s", "1m30s", "1.5h", "2d" or "0".
 * @throws {UsageError}
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const parts = text.length <= 64 ? [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)] : [];
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ""] ?? Number.NaN), 0);
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text || !Number.isSafeInteger(Math.round(ms))) {
    throw new UsageError("expected a duration such as 250ms, 10s, 1m30s, 2h");
  }
  return Math.round(ms);
}

/** The shortest spelling: 90000 -> "1m30s". */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  let rest = Math.round(ms);
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = unitMs[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

function parseChoice(text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text;
  throw new UsageError(`expected one of ${choices.join(", ")}${hint(text, choices)}`);
}

/**
 * HOST:PORT, [V6]:PORT, :PORT (all IPv4 addresses) or PORT (127.0.0.1).
 * @throws {UsageError}
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?(\d+)$/.exec(text);
  if (!match) throw new UsageError("expected HOST:PORT, [IPV6]:PORT, :PORT or PORT");
  const [, v6, name, portText] = match;
  const port = Number(portText);
  if (port > 65535) throw new UsageError(`port ${portText} is not from 0 to 65535`);
  if (v6 !== undefined) {
    if (!isIPv6(v6)) throw new UsageError(`[${v6}] is not an IPv6 address`);
    return { hostname: v6, port };
  }
  if (name === undefined) return { hostname: "127.0.0.1", port };
  if (name === "") return { hostname: "0.0.0.0", port };
  if (!isHostname(name)) throw new UsageError(`${name} is neither an IPv4 address nor a host name`);
  return { hostname: name, port };
}

function isHostname(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIPv4(text);
  return text.length <= 253 && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(text);
}

/** "127.0.0.1:1111", "[::1]:1111" */
export function formatAddress(address: ListenAddress): string {
  return address.hostname.includes(":")
    ? `[${address.hostname}]:${address.port}`
    : `${address.hostname}:${address.port}`;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a line end in a URL is always a mistake
const controls = /[\x00-\x1f\x7f]/;

/** Stores take several hosts ("etcd://a:2379,b:2379/prefix"): one URL for each. */
function eachHost(url: string): string[] {
  const match = /^([^:]+:\/\/)([^/?#]*)(.*)$/.exec(url);
  if (!match) return [url];
  const [, start = "", hosts = "", rest = ""] = match;
  return hosts.split(",").map((host) => start + host + rest);
}

function parseUrl(text: string, schemes: readonly string[] | undefined): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  const accepted = schemes ? `, with one of the schemes ${schemes.join(", ")}` : "";
  if (scheme === undefined) throw new UsageError(`expected a URL${accepted}`);
  if (schemes && !schemes.includes(scheme)) {
    throw new UsageError(`unknown scheme ${scheme}:, expected one of ${schemes.join(", ")}${hint(scheme, schemes)}`);
  }
  const wellFormed = !controls.test(text) && eachHost(text).every((one) => URL.canParse(one));
  if (!wellFormed) throw new UsageError(`not a valid URL${accepted}`);
  return text;
}

function parseFile(text: string, mustExist: boolean): string {
  if (text === "") throw new UsageError("expected a path");
  if (text.includes("\0")) throw new UsageError("a path cannot hold a NUL byte");
  if (!mustExist) return text;
  try {
    accessSync(text, constants.R_OK);
    return text;
  } catch (error) {
    const { code } = error as { code?: string };
    throw new UsageError(code === "ENOENT" ? "no such file" : `cannot be read (${code ?? "unknown"})`, {
      cause: error,
    });
  }
}
