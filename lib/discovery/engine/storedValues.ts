import type { Instance, InstanceState, ServiceConfig } from "../discovery.ts";

/** One hand on an instance's state, and why. */
export interface Hand {
  state: InstanceState;
  reason?: string;
}

/** What is kept of states; absent for the many instances that are simply up. */
export interface Standing {
  operator?: Hand;
  check?: Hand;
  /**
   * The revision since which it may lead (see leaderOf), where that is not its creation. 0 in the store: the revision of the very
   * write that says so, which that write could not know.
   */
  since?: number;
}

/** What the store keeps of an instance beside its key; `ttl` in ms, left out when it is the default. */
export interface StoredInstance extends Standing {
  addr: string;
  proto: string;
  meta?: Record<string, string>;
  weight?: number;
  zone?: string;
  daemon: string;
  ttl?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeValue(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Undefined for anything that is not an instance as we write it: one spoilt value hides only itself. */
export function decodeInstance(value: Uint8Array): StoredInstance | undefined {
  const object = decodeObject(value) ?? {};
  const { addr, proto, meta, daemon, ttl, weight, zone, operator, check, since } = object;
  if (typeof addr !== "string" || typeof proto !== "string") return undefined;
  const stored: StoredInstance = { addr, proto, daemon: typeof daemon === "string" ? daemon : "" };
  const strings = stringsOf(meta);
  if (strings) stored.meta = strings;
  if (typeof ttl === "number" && ttl > 0) stored.ttl = ttl;
  if (typeof weight === "number") stored.weight = weight;
  if (typeof zone === "string") stored.zone = zone;
  const hands = { operator: handFrom(operator), check: handFrom(check) };
  if (hands.operator) stored.operator = hands.operator;
  if (hands.check) stored.check = hands.check;
  if (typeof since === "number") stored.since = since;
  return stored;
}

/** What is shown: the operator's word before the checks', those before "up". */
export function handOf(standing: Standing | undefined): Hand | undefined {
  const hand = standing?.operator ?? standing?.check;
  return hand && hand.state !== "up" ? hand : undefined;
}

export function decodeConfig(value: Uint8Array): ServiceConfig {
  return { leader_type: decodeObject(value)?.leader_type === "manual" ? "manual" : "oldest" };
}

export function decodeLeader(value: Uint8Array): string | undefined {
  const id = decodeObject(value)?.id;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** The meta's `data`; it is kept in an object so that any JSON value can be told from none. */
export function decodeMeta(value: Uint8Array): { data: unknown } | undefined {
  const object = decodeObject(value);
  return object && "data" in object ? { data: object.data } : undefined;
}

export function decodeDaemon(value: Uint8Array): { address: string } {
  const address = decodeObject(value)?.address;
  return { address: typeof address === "string" ? address : "" };
}

/** Sorted by name, as the original (Go) writes maps; undefined when there is nothing in it. */
export function sortedMeta(meta: Instance["meta"]): Record<string, string> | undefined {
  const names = meta ? Object.keys(meta) : [];
  if (!meta || names.length === 0) return undefined;
  return Object.fromEntries(names.sort().map((name) => [name, meta[name] ?? ""]));
}

function handFrom(value: unknown): Hand | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { state, reason } = value as { state?: unknown; reason?: unknown };
  if (typeof state !== "string") return undefined;
  return { state: state as InstanceState, ...(typeof reason === "string" ? { reason } : {}) };
}

function stringsOf(meta: unknown): Record<string, string> | undefined {
  if (typeof meta !== "object" || meta === null) return undefined;
  const entries = Object.entries(meta);
  if (entries.length === 0) return undefined;
  if (entries.every(([, value]) => typeof value === "string")) return meta as Record<string, string>;
  const strings = entries.filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return strings.length > 0 ? Object.fromEntries(strings) : undefined;
}

function decodeObject(value: Uint8Array): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(decoder.decode(value));
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // not JSON: the caller hides this one key
  }
}
