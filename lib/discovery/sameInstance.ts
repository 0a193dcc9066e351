import type { Instance } from "./discovery.ts";

/** The original's equality, which tells an update from a heartbeat: addr, proto and meta; not the index. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return a.addr === b.addr && a.proto === b.proto && sameMeta(a.meta, b.meta);
}

function sameMeta(a: Record<string, string> = none, b: Record<string, string> = none): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

const none: Record<string, string> = {};
