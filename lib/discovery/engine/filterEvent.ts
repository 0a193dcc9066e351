import type { DiscoveryEvent, InstanceFilter } from "../discovery.ts";
import { matches } from "../matches.ts";

/** What was made of an event for a filter: thousands of watchers with one filter get one object (and so one frame). */
const made = new WeakMap<InstanceFilter, WeakMap<DiscoveryEvent, DiscoveryEvent>>();

/**
 * An event as a watcher with `filter` sees it: an update that brings the instance in is `up`, one that takes it out is `down`.
 * Undefined: not of its concern.
 */
export function filterEvent(event: DiscoveryEvent, filter: InstanceFilter): DiscoveryEvent | undefined {
  const { kind, instance, previous } = event;
  if (!instance || kind === "leader") return event;
  const is = matches(instance, filter);
  if (kind !== "update" || !previous) return is ? event : undefined;
  const was = matches(previous, filter);
  if (was === is) return is ? event : undefined;
  let ofFilter = made.get(filter);
  if (!ofFilter) {
    ofFilter = new WeakMap();
    made.set(filter, ofFilter);
  }
  let told = ofFilter.get(event);
  if (!told) {
    const { service, rev } = event;
    told = { service, kind: is ? "up" : "down", instance: is ? instance : previous, rev };
    ofFilter.set(event, told);
  }
  return told;
}
