import { type InstanceQuery, type InstanceState, usableStates } from "../../../lib/discovery/discovery.ts";
import { Problem } from "../../../lib/http/problem.ts";

/** What the original's clients see: an instance that should get no work is as good as gone for them. One object, so that frames are shared. */
const usable: InstanceQuery = { states: usableStates };
const everything: InstanceQuery = {};
const knownStates: readonly string[] = ["up", "warning", "down", "draining", "maintenance"] satisfies InstanceState[];

/**
 * `?state=up,down` (or `any`; default: what may be sent work, or all where `isOwn`), `?meta.NAME=VALUE`, `?proto=`, `?zone=`, `?detail`.
 * Other parameters are not looked at.
 * @throws {Problem} validation_error for a state that there is not.
 */
export function readInstanceQuery(params: URLSearchParams, isOwn = false): InstanceQuery {
  if (params.size === 0) return isOwn ? everything : usable;
  const query: InstanceQuery = {};
  const states = params.get("state");
  if (states === null && !isOwn) query.states = usableStates;
  else if (states !== null && states !== "any") query.states = readStates(states);
  const meta: Record<string, string> = {};
  for (const [name, value] of params) if (name.startsWith("meta.")) meta[name.slice(5)] = value;
  if (Object.keys(meta).length > 0) query.meta = meta;
  const [proto, zone] = [params.get("proto"), params.get("zone")];
  if (proto !== null) query.proto = proto;
  if (zone !== null) query.zone = zone;
  if (isOn(params.get("detail"))) query.detail = true;
  // The common case keeps the common object.
  return Object.keys(query).length === 1 && query.states === usableStates ? usable : query;
}

function readStates(text: string): InstanceState[] {
  const states = text.split(",");
  for (const state of states) {
    if (!knownStates.includes(state)) {
      throw invalid("state", `expected any, or some of ${knownStates.join(", ")}, not "${state}"`);
    }
  }
  return states as InstanceState[];
}

/** What a blocking read waits for. */
export interface WaitQuery {
  /** Answer when the index is greater; undefined: when there is something to answer. */
  index: number | undefined;
  waitMs: number;
}

const longestWait = 600_000;
const defaultWait = 300_000;

/**
 * `?index=N` (the Discoverd-Service-Index or Discoverd-Index of an earlier answer) and `?wait=30s` (default 5m with an index; at most
 * 10m). Undefined: answer at once.
 * @throws {Problem} validation_error
 */
export function readWait(params: URLSearchParams): WaitQuery | undefined {
  const index = params.get("index");
  const wait = params.get("wait");
  if (index === null && wait === null) return undefined;
  if (index !== null && !/^\d{1,16}$/.test(index)) throw invalid("index", "expected a whole number");
  const waitMs = wait === null ? defaultWait : readDuration(wait);
  return { index: index === null ? undefined : Number(index), waitMs: Math.min(longestWait, waitMs) };
}

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function readDuration(text: string): number {
  const [, number = "", unit = "s"] = /^(\d{1,9})(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === "") throw invalid("wait", `expected a time as in 500ms, 30s or 5m, not "${text}"`);
  return Number(number) * (units[unit] ?? 1000);
}

/** @throws {Problem} validation_error: on our own paths a parameter that is not known is named. */
export function refuseUnknown(params: URLSearchParams, known: readonly string[]): void {
  for (const name of params.keys()) {
    if (known.includes(name) || (name.startsWith("meta.") && known.includes("meta."))) continue;
    throw invalid(name, `not known here; known are ${known.length > 0 ? known.join(", ") : "none"}`);
  }
}

/** A limit of a list. @throws {Problem} validation_error */
export function readLimit(params: URLSearchParams): number | undefined {
  const text = params.get("limit");
  if (text === null) return undefined;
  const limit = Number(text);
  if (!/^\d{1,6}$/.test(text) || limit < 1) throw invalid("limit", "expected a whole number from 1 to 999999");
  return limit;
}

function isOn(value: string | null): boolean {
  return value !== null && value !== "false" && value !== "0";
}

function invalid(field: string, message: string): Problem {
  return new Problem("validation_error", `query.${field}: ${message}`, { detail: { in: "query", field } });
}
