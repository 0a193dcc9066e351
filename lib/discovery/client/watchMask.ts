import type { DiscoveryEvent, Instance } from "../discovery.ts";
import { sameInstance } from "../sameInstance.ts";

interface Known {
  instances: Map<string, Instance>;
  leader: { id: string; token: number } | undefined;
  metaIndex: number | undefined;
  /** Ids, and the leader, that the initial state of this connection has shown. */
  seen: Set<string>;
  seenLeader: boolean;
  /** The initial state of this connection has begun for this service. */
  fresh: boolean;
}

/**
 * Hides reconnects: what a new connection tells again is swallowed, and what it no longer tells goes down. Where the server
 * resumed (events with an id before any `current`), events pass as they come.
 */
export class WatchMask {
  readonly #services = new Map<string, Known>();
  readonly #ofAll: boolean;
  #phase: "start" | "initial" | "live" = "start";

  constructor(ofAll: boolean) {
    this.#ofAll = ofAll;
  }

  /** A connection begins. */
  connect(): void {
    this.#phase = "start";
    for (const known of this.#services.values()) {
      known.fresh = false;
      known.seen.clear();
      known.seenLeader = false;
    }
  }

  /** What the consumer gets for one event of the server. */
  apply(event: DiscoveryEvent): DiscoveryEvent[] {
    if (this.#phase === "start") this.#phase = event.rev > 0 && event.kind !== "current" ? "live" : "initial";
    if (event.kind === "current") return this.#current(event);
    const known = this.#known(event.service);
    if (this.#phase === "initial") known.fresh = true;
    if (event.kind === "service_meta") {
      if (known.metaIndex === event.service_meta?.index) return [];
      known.metaIndex = event.service_meta?.index;
      return [event];
    }
    return event.kind === "leader" ? this.#leader(known, event) : this.#instance(known, event);
  }

  #instance(known: Known, event: DiscoveryEvent): DiscoveryEvent[] {
    const { instance } = event;
    if (!instance) return [];
    const before = known.instances.get(instance.id);
    if (event.kind === "down") {
      known.instances.delete(instance.id);
      return before ? [event] : [];
    }
    if (this.#phase === "initial") known.seen.add(instance.id);
    known.instances.set(instance.id, instance);
    if (!before) return [{ ...event, kind: "up" }];
    if (before.index !== instance.index)
      return [
        { ...event, kind: "down", instance: before },
        { ...event, kind: "up" },
      ];
    return sameInstance(before, instance) ? [] : [{ ...event, kind: "update" }];
  }

  #leader(known: Known, event: DiscoveryEvent): DiscoveryEvent[] {
    if (this.#phase === "initial") known.seenLeader = true;
    const leader = event.instance && { id: event.instance.id, token: event.fencingToken ?? event.instance.index ?? 0 };
    const isSame = leader?.id === known.leader?.id && leader?.token === known.leader?.token;
    known.leader = leader;
    return isSame ? [] : [event];
  }

  #current(event: DiscoveryEvent): DiscoveryEvent[] {
    if (this.#phase === "live") return [event];
    const isEnd = !this.#ofAll || event.service === "";
    const events: DiscoveryEvent[] = [];
    if (!this.#ofAll || event.service !== "") {
      const known = this.#known(event.service);
      known.fresh = true;
      events.push(...gone(event.service, known));
    } else {
      for (const [service, known] of this.#services) {
        if (known.fresh) continue;
        events.push(...gone(service, known));
        this.#services.delete(service);
      }
    }
    if (isEnd) this.#phase = "live";
    return [...events, event];
  }

  #known(service: string): Known {
    let known = this.#services.get(service);
    if (!known) {
      known = {
        instances: new Map(),
        leader: undefined,
        metaIndex: undefined,
        seen: new Set(),
        seenLeader: false,
        fresh: false,
      };
      this.#services.set(service, known);
    }
    return known;
  }
}

/** Downs for what the new connection's state no longer has, and "nobody leads" where it has no leader. */
function gone(service: string, known: Known): DiscoveryEvent[] {
  const events: DiscoveryEvent[] = [];
  for (const [id, instance] of known.instances) {
    if (known.seen.has(id)) continue;
    known.instances.delete(id);
    events.push({ service, kind: "down", instance, rev: 0 });
  }
  if (known.leader && !known.seenLeader) {
    known.leader = undefined;
    events.push({ service, kind: "leader", rev: 0 });
  }
  known.seen.clear();
  known.seenLeader = false;
  return events;
}
