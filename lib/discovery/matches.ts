import { type Instance, type InstanceFilter, usableStates } from "./discovery.ts";

/**
 * Whether an instance passes a filter: every condition that is given holds.
 *
 * @example
 * matches(instance, { meta: { version: "2" }, states: usableStates });
 */
export function matches(instance: Instance, { meta, states, proto, zone }: InstanceFilter): boolean {
  if (states && !states.includes(instance.state ?? "up")) return false;
  if (proto !== undefined && instance.proto !== proto) return false;
  if (zone !== undefined && instance.zone !== zone) return false;
  if (!meta) return true;
  for (const name of Object.keys(meta)) if (instance.meta?.[name] !== meta[name]) return false;
  return true;
}

/** Whether it may be sent work. */
export function isUsable(instance: Instance): boolean {
  return instance.state === undefined || usableStates.includes(instance.state);
}
