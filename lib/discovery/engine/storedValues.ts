import type { Instance, ServiceConfig } from "../discovery.ts";

/** What the store keeps of an instance beside its key; `ttl` in ms, left out when it is the default. */
export interface StoredInstance {
  addr: string;
  proto: string;
  meta?: Record<string, string>;
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
  const { addr, proto, meta, daemon, ttl } = decodeObject(value) ?? {};
  if (typeof addr !== "string" || typeof proto !== "string") return undefined;
  const stored: StoredInstance = { addr, proto, daemon: typeof daemon === "string" ? daemon : "" };
  const strings = stringsOf(meta);
  if (strings) stored.meta = strings;
  if (typeof ttl === "number" && ttl > 0) stored.ttl = ttl;
  return stored;
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

function stringsOf(meta: unknown): Record<string, string> | undefined {
  if (typeof meta !== "object" || meta === null) return undefined;
  const strings = Object.entries(meta).filter((pair): pair is [string, string] => typeof pair[1] === "string");
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
