import type { DiscoveryEvent, EventKind, Instance, InstanceFilter, WatchOptions } from "../discovery.ts";
import type { Catalog } from "./catalog.ts";
import { EventLog } from "./eventLog.ts";
import { leaderEvent } from "./eventsOf.ts";
import { filterEvent } from "./filterEvent.ts";
import type { Follower, Following } from "./follower.ts";
import { Subscription } from "./subscription.ts";

/** Instances of a service whose state is kept for the next one who comes. */
const shareable = 100;

/** Events of a state that more than one watcher may get: what is made of them is worth keeping, as with those of changes. */
export const sharedEvents = new WeakSet<DiscoveryEvent>();

/** All watchers of one engine: the log to resume from, and the fan-out. Every watcher of an event gets the same object. */
export class Watchers {
  readonly #catalog: Catalog;
  readonly #log: EventLog;
  readonly #ofService = new Map<string, Set<Follower>>();
  readonly #ofAll = new Set<Follower>();
  /** The last state that was told: many come for the same one. */
  #shared: { service: string; steps: number; events: DiscoveryEvent[] } = { service: "", steps: 0, events: [] };
  #started = false;

  constructor(catalog: Catalog, logSize: number) {
    this.#catalog = catalog;
    this.#log = new EventLog(logSize, 0);
  }

  get size(): number {
    let size = this.#ofAll.size;
    for (const set of this.#ofService.values()) size += set.size;
    return size;
  }

  /** The first state is known: those who came before it get it now. */
  start(): void {
    this.#started = true;
    this.#log.clear(this.#catalog.rev);
    for (const [service, set] of this.#ofService) for (const one of set) one.begin(this.#initial(service));
    for (const one of this.#ofAll) one.begin(this.#initial(undefined));
  }

  /** The store's revisions went back: nothing before can be resumed, and up to `from` each number may be one of before. */
  forget(from: number): void {
    this.#log.clear(from + 1);
  }

  /** `at`: where the step stands in the log. Above `rev` when a step before had that revision too: who knows `rev` may lack this one. */
  publish(events: readonly DiscoveryEvent[], rev: number, at: number): void {
    if (!this.#started) return; // part of the initial state
    this.#log.add(events, at);
    const last = events.at(-1);
    for (const event of events) {
      for (const one of [...(this.#ofService.get(event.service) ?? [])]) one.push(event);
      if (this.#ofAll.size === 0) continue;
      // A step over several services is whole for a watcher of all only with its last event.
      const forAll = event.rev === rev && event !== last ? { ...event, rev: rev - 1 } : event;
      for (const one of [...this.#ofAll]) one.push(forAll);
    }
  }

  subscribe(service: string | undefined, options: WatchOptions): Subscription {
    const { from, signal, bufferLimit = 4096 } = options;
    const set = this.#setOf(service);
    const subscription = new Subscription({
      initial: this.#first(service, from),
      pass: passOf(options),
      limit: bufferLimit,
      signal,
      onEnd: (ended) => {
        set.delete(ended);
        leave(this.#ofService, service, set);
      },
    });
    if (!signal.aborted) set.add(subscription);
    return subscription;
  }

  /** As `subscribe`, for who keeps no queue: thousands of followers cost little more than their place in a set. */
  follow(service: string | undefined, follower: Follower, options: Omit<WatchOptions, "signal">): Following {
    const set = this.#setOf(service);
    set.add(follower);
    const initial = this.#first(service, options.from);
    if (initial) follower.begin(initial);
    return new Place(this.#ofService, service, set, follower, passOf(options));
  }

  /** What a watcher gets first: what it missed, else the state; undefined while nothing is known. */
  #first(service: string | undefined, from: number | undefined): Iterator<DiscoveryEvent> | undefined {
    if (!this.#started) return undefined;
    const ofService = (event: DiscoveryEvent) => service === undefined || event.service === service;
    const missed = from === undefined ? undefined : this.#log.since(from, this.#catalog.rev, ofService);
    return missed?.values() ?? this.#initial(service);
  }

  endAll(): void {
    for (const set of [...this.#ofService.values(), this.#ofAll]) for (const one of [...set]) one.end();
  }

  #setOf(service: string | undefined): Set<Follower> {
    if (service === undefined) return this.#ofAll;
    let set = this.#ofService.get(service);
    if (!set) {
      set = new Set();
      this.#ofService.set(service, set);
    }
    return set;
  }

  /** The state is taken now; the events are made as they are read. */
  #initial(service: string | undefined): Iterator<DiscoveryEvent> {
    const { rev } = this.#catalog;
    if (service !== undefined) return this.#stateOf(service, rev);
    const names = [...this.#catalog.services.keys()].filter((name) => this.#catalog.service(name)).sort();
    const parts = names.map((name) => this.#stateOf(name, 0));
    return (function* () {
      for (const part of parts) yield* part;
      yield { service: "", kind: "current", rev } satisfies DiscoveryEvent;
    })();
  }

  #stateOf(service: string, rev: number): IterableIterator<DiscoveryEvent> {
    const instances = this.#catalog.instances(service) ?? [];
    if (instances.length > shareable) return this.#eventsOf(service, instances, rev);
    const { steps, events } = this.#shared;
    if (this.#shared.service === service && steps === this.#catalog.steps && events.at(-1)?.rev === rev) {
      return events.values();
    }
    const made = [...this.#eventsOf(service, instances, rev)];
    for (const event of made) sharedEvents.add(event);
    this.#shared = { service, steps: this.#catalog.steps, events: made };
    return made.values();
  }

  #eventsOf(service: string, instances: readonly Instance[], rev: number): Generator<DiscoveryEvent> {
    const { leader, meta } = this.#catalog.service(service) ?? {};
    return (function* (): Generator<DiscoveryEvent> {
      for (const instance of instances) yield { service, kind: "up", instance, rev: 0 };
      if (leader) yield leaderEvent(service, leader, 0);
      if (meta) yield { service, kind: "service_meta", service_meta: meta, rev: 0 };
      yield { service, kind: "current", rev };
    })();
  }
}

/** A follower's place; a class without closures, since there are thousands. */
class Place implements Following {
  readonly pass: Pass;
  readonly #ofService: Map<string, Set<Follower>>;
  readonly #service: string | undefined;
  readonly #set: Set<Follower>;
  readonly #follower: Follower;

  constructor(
    ofService: Map<string, Set<Follower>>,
    service: string | undefined,
    set: Set<Follower>,
    follower: Follower,
    pass: Pass,
  ) {
    this.#ofService = ofService;
    this.#service = service;
    this.#set = set;
    this.#follower = follower;
    this.pass = pass;
  }

  stop(): void {
    this.#set.delete(this.#follower);
    leave(this.#ofService, this.#service, this.#set);
  }
}

function leave(ofService: Map<string, Set<Follower>>, service: string | undefined, set: Set<Follower>): void {
  if (service !== undefined && set.size === 0 && ofService.get(service) === set) ofService.delete(service);
}

type Pass = (event: DiscoveryEvent) => DiscoveryEvent | undefined;

const everything = (event: DiscoveryEvent) => event;

/** Those of a filter alone: who watches alike shares it. */
const passes = new WeakMap<InstanceFilter, Pass>();

function passOf({ kinds, filter }: Pick<WatchOptions, "kinds" | "filter">): Pass {
  if (!filter && !kinds) return everything;
  if (filter && !kinds) {
    const known = passes.get(filter) ?? ((event) => filterEvent(event, filter));
    passes.set(filter, known);
    return known;
  }
  const set = kinds && new Set<EventKind>([...kinds, "current"]);
  return (event) => {
    const told = filter ? filterEvent(event, filter) : event;
    return told && (!set || set.has(told.kind)) ? told : undefined;
  };
}
