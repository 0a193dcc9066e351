import type { Instance, InstanceState, Registration } from "../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { Problem } from "../../../lib/http/problem.ts";

/** Field -> what it must be. By hand and not by schema: a batch has thousands of them. */
const fields: Readonly<Record<string, "string" | "number" | "object">> = {
  service: "string",
  id: "string",
  addr: "string",
  proto: "string",
  meta: "object",
  weight: "number",
  zone: "string",
  state: "string",
  reason: "string",
  ttl_ms: "number",
};

/**
 * `[{"service","addr","proto"?,"id"?,"meta"?,"weight"?,"zone"?,"state"?,"reason"?,"ttl_ms"?}, ...]`. Proto is "tcp" and the id is
 * computed where they are absent.
 * @throws {Problem} syntax_error, validation_error: names the first field at fault and its place.
 */
export function readRegistrations(text: string): Registration[] {
  const value = parse(text);
  if (!Array.isArray(value)) throw invalid("", "expected an array of registrations");
  return value.map(readRegistration);
}

function readRegistration(value: unknown, at: number): Registration {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`[${at}]`, "expected an object");
  }
  const object = value as Record<string, unknown>;
  for (const name in object) {
    const type = fields[name];
    if (type === undefined) throw invalid(`[${at}].${name}`, `not known; known are ${Object.keys(fields).join(", ")}`);
    if (typeof object[name] !== type || object[name] === null) throw invalid(`[${at}].${name}`, `expected ${type}`);
  }
  const { service, addr = "", proto = "tcp", id, meta, weight, zone, state, reason, ttl_ms } = object;
  if (typeof service !== "string") throw invalid(`[${at}].service`, "expected string");
  const [address, protocol] = [String(addr), String(proto)];
  const instance: Instance = {
    id: id === undefined ? instanceId(protocol, address) : String(id),
    addr: address,
    proto: protocol,
  };
  if (meta !== undefined) instance.meta = readMeta(meta, at);
  if (typeof weight === "number") instance.weight = weight;
  if (typeof zone === "string") instance.zone = zone;
  if (typeof state === "string") instance.state = state as InstanceState; // checked with the whole instance
  if (typeof reason === "string") instance.reason = reason;
  if (typeof ttl_ms === "number") instance.ttl_ms = ttl_ms;
  return { service, instance };
}

function readMeta(value: unknown, at: number): Record<string, string> {
  const meta = value as Record<string, unknown>;
  if (Array.isArray(value)) throw invalid(`[${at}].meta`, "expected an object");
  for (const name in meta) {
    if (typeof meta[name] !== "string") throw invalid(`[${at}].meta.${name}`, "expected string");
  }
  return meta as Record<string, string>;
}

/**
 * `{"SERVICE": ["ID", ...], ...}`
 * @throws {Problem} syntax_error, validation_error
 */
export function readHeartbeats(text: string): [service: string, ids: string[]][] {
  const value = parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("", "expected an object of service names to arrays of ids");
  }
  const beats = Object.entries(value);
  for (const [service, ids] of beats) {
    if (!Array.isArray(ids)) throw invalid(`.${service}`, "expected an array of ids");
    for (const id of ids) if (typeof id !== "string") throw invalid(`.${service}`, "expected ids as strings");
  }
  return beats as [string, string[]][];
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem("syntax_error", "The provided JSON input is invalid", { cause: error });
  }
}

function invalid(place: string, message: string): Problem {
  return new Problem("validation_error", `body${place}: ${message}`, { detail: { in: "body", field: place } });
}
