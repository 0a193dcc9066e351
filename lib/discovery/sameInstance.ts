import type { Instance } from "./discovery.ts";

/** What tells an update from nothing new: the registration and its state; not the index. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return sameRegistration(a, b) && a.state === b.state && a.reason === b.reason;
}

/** What tells a registration from a heartbeat: the original's addr, proto and meta, and our weight and zone. */
export function sameRegistration(a: Instance, b: Instance): boolean {
  return (
    a.addr === b.addr && a.proto === b.proto && a.weight === b.weight && a.zone === b.zone && sameMeta(a.meta, b.meta)
  );
}

function sameMeta(a: Record<string, string> = none, b: Record<string, string> = none): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

const none: Record<string, string> = {};
