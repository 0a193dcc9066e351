import type { DiscoveryEvent, Instance, Leader, ServiceMeta } from "../discovery.ts";
import { sameInstance } from "../sameInstance.ts";

/** One side of a change: what was (or is) shown beside the instances. */
export interface Shown {
  leader: Leader | undefined;
  meta: ServiceMeta | undefined;
}

/** An instance that may differ: as it was shown, and as it is. */
export interface ShownInstance {
  was: Instance | undefined;
  is: Instance | undefined;
}

/**
 * What watchers are told of a step from `before` to `after`: instances that came or changed by index, then those that went
 * by index, then the meta, then the leader. An instance that was removed and made again in one step is `down`, then `up`.
 * All but the last carry the revision before the step, so that a watch resumed in the middle gets the whole step again.
 */
export function eventsOf(
  service: string,
  instances: readonly ShownInstance[],
  before: Shown,
  after: Shown,
  rev: number,
): DiscoveryEvent[] {
  const came: DiscoveryEvent[] = [];
  const went: DiscoveryEvent[] = [];
  const event = (kind: DiscoveryEvent["kind"], instance: Instance): DiscoveryEvent => ({
    service,
    kind,
    instance,
    rev: rev - 1,
  });
  for (const { was, is } of instances) {
    if (was && is && was.index !== is.index) came.push(event("down", was), event("up", is));
    else if (!was && is) came.push(event("up", is));
    else if (was && !is) went.push(event("down", was));
    else if (was && is && was !== is && !sameInstance(was, is)) came.push({ ...event("update", is), previous: was });
  }
  if (came.length > 1) came.sort(byIndex);
  const events = went.length > 0 ? [...came, ...went.sort(byIndex)] : came;
  if (after.meta && after.meta.index !== before.meta?.index) {
    events.push({ service, kind: "service_meta", service_meta: after.meta, rev: rev - 1 });
  }
  if (!sameLeader(before.leader, after.leader)) events.push(leaderEvent(service, after.leader, rev - 1));
  const last = events.at(-1);
  if (last) last.rev = rev;
  return events;
}

/** Without an instance: nobody leads now. */
export function leaderEvent(service: string, leader: Leader | undefined, rev: number): DiscoveryEvent {
  if (!leader) return { service, kind: "leader", rev };
  return { service, kind: "leader", instance: leader.instance, fencingToken: leader.fencingToken, rev };
}

function sameLeader(a: Leader | undefined, b: Leader | undefined): boolean {
  return a?.instance.id === b?.instance.id && a?.fencingToken === b?.fencingToken;
}

/** Stable, so that a `down` and `up` of one id stay in order: the old index is the lower one. */
function byIndex(a: DiscoveryEvent, b: DiscoveryEvent): number {
  return (a.instance?.index ?? 0) - (b.instance?.index ?? 0);
}
