import type { DiscoveryEvent, Instance } from "../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";

/** A valid instance at `addr`. */
export function instanceAt(addr: string, meta?: Record<string, string>): Instance {
  return { id: instanceId("tcp", addr), addr, proto: "tcp", ...(meta ? { meta } : {}) };
}

/** An event in few words: "up 10.0.0.1:80", "leader", "service_meta 4", "current". */
export function inShort({ kind, instance, service_meta }: DiscoveryEvent): string {
  if (service_meta) return `${kind} ${JSON.stringify(service_meta.data)}`;
  return instance ? `${kind} ${instance.addr}` : kind;
}

/** Reads a watch in the background; `events` grows. */
export function collect(source: AsyncIterable<DiscoveryEvent>) {
  const events: DiscoveryEvent[] = [];
  const state: { error?: unknown; done: boolean } = { done: false };
  const end = (async () => {
    try {
      for await (const event of source) events.push(event);
    } catch (error) {
      state.error = error;
    }
    state.done = true;
  })();
  return { events, state, end, short: () => events.map(inShort) };
}

/** What a consumer believes after a service's events: instances by id, and the leader. */
export function fold(events: readonly DiscoveryEvent[]) {
  const instances = new Map<string, Instance>();
  let leader: string | undefined;
  let meta: unknown;
  for (const { kind, instance, service_meta } of events) {
    if (kind === "up" || kind === "update") instance && instances.set(instance.id, instance);
    else if (kind === "down") instance && instances.delete(instance.id);
    else if (kind === "leader") leader = instance?.id;
    else if (kind === "service_meta") meta = service_meta?.data;
  }
  const sorted = [...instances.values()].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  return { instances: sorted, leader, meta };
}
