import { isDeepStrictEqual } from "node:util";
import type { ContainerEvent } from "./containerEvent.ts";
import type { Container, Stopping } from "./containers.ts";
import { asksToStop } from "./stopSignal.ts";

/** How an inspect ended. */
export type Reading =
  | { kind: "read"; container: Container }
  | { kind: "gone" }
  /** The engine did not answer, or could not: what was known of it stays. */
  | { kind: "failed"; reason: string }
  /** The answer makes no sense: what was known of it goes. */
  | { kind: "unreadable"; reason: string };

/**
 * What is known of an engine's containers, and what must be read again. It decides; it does no I/O and has no clock.
 *
 * - A hint (event, list) makes an id dirty; several make it dirty once.
 * - `take` gives an id at most once until it is `settle`d, so readings of one container never overlap.
 * - A reading that began before a die or destroy is older than that event: the event prevails until the next reading.
 */
export interface ContainerBook {
  readonly containers: ReadonlyMap<string, Container>;
  readonly unreadable: ReadonlyMap<string, string>;
  /** Dirty or being read. */
  readonly busy: number;
  /** Whether what is known of `id` is what it was last read as, with nothing heard of since. */
  isCurrent(id: string): boolean;
  /** Whether all that the last list named has been read since. */
  readonly complete: boolean;
  /** Takes an event; tells what changed at once. `upcoming`: what one that is current and started is; that alone makes it not dirty. */
  event(event: ContainerEvent, upcoming?: Container): Change | undefined;
  /** Everything that the list names and everything known is to be read; returns whether nothing is. */
  list(ids: Iterable<string>): boolean;
  /** It was told to end longer ago than anybody waits for; tells whether that changed it. */
  survived(id: string): Change | undefined;
  /** Reads `id` again; `soon`: before what only a list named. */
  dirty(id: string, soon?: boolean): void;
  /** An id to read now; those that events named come first. `urgentOnly` leaves out those that only a list named. */
  take(urgentOnly?: boolean): { id: string; urgent: boolean } | undefined;
  /** Ends what `take` began; tells what changed. */
  settle(id: string, reading: Reading): Change | undefined;
  /** Ends what `take` began without a result: it stays dirty. */
  release(id: string): void;
}

/** Something in `containers` or `unreadable` is no longer as it was. */
export interface Change {
  /** When the oldest event behind it happened, ms since the epoch; undefined when a list led to it. */
  eventAt?: number;
}

interface Entry {
  dirty: boolean;
  reading: boolean;
  /** What happened since the reading in flight began, and so is newer than it. */
  since?: { kind: "died"; exitCode: number } | { kind: "removed" };
  /**
   * When it started, if that is the last event during the reading in flight and nothing ended in it: a reading that finds it running
   * has seen that, and what came before.
   */
  startedAt?: number;
  /** The oldest event not yet seen in a settled reading that began after it. */
  eventAt?: number;
  /** As `eventAt`, of the reading in flight. */
  readingFor?: number;
}

/** @example
 * const book = createContainerBook();
 * book.list(["a"]);
 * const taken = book.take();
 * if (taken) book.settle(taken.id, { kind: "gone" });
 */
export function createContainerBook(): ContainerBook {
  const containers = new Map<string, Container>();
  const unreadable = new Map<string, string>();
  const entries = new Map<string, Entry>();
  const urgent = new Set<string>();
  const bulk = new Set<string>();
  const awaited = new Set<string>();
  const stops = new Map<string, Stopping>();

  function mark(id: string, queue: Set<string>): Entry {
    let entry = entries.get(id);
    if (!entry) {
      entry = { dirty: false, reading: false };
      entries.set(id, entry);
    }
    entry.dirty = true;
    delete entry.startedAt;
    if (queue === urgent) bulk.delete(id);
    if (!entry.reading && !urgent.has(id)) queue.add(id);
    return entry;
  }

  function put(id: string, read: Container): boolean {
    const stopping = stops.get(id);
    const container = stopping && read.state.running ? { ...read, stopping } : read;
    const wasUnreadable = unreadable.delete(id);
    const known = containers.get(id);
    // The same object stays for the same content: who compares states sees at a glance that nothing changed.
    if (known && isDeepStrictEqual(known, container)) return wasUnreadable;
    containers.set(id, container);
    return true;
  }

  function remove(id: string): boolean {
    stops.delete(id);
    const one = containers.delete(id);
    return unreadable.delete(id) || one;
  }

  function apply(id: string, entry: Entry, reading: Reading): boolean {
    const { since } = entry;
    if (since?.kind === "removed" || reading.kind === "gone") return remove(id);
    if (reading.kind === "read") return put(id, since ? ended(reading.container, since.exitCode) : reading.container);
    const dropped = reading.kind === "unreadable" && containers.delete(id);
    const told = unreadable.get(id) !== reading.reason;
    unreadable.set(id, reading.reason);
    return told || dropped;
  }

  return {
    containers,
    unreadable,
    get busy() {
      return entries.size;
    },
    isCurrent: (id) => !entries.has(id),
    get complete() {
      return awaited.size === 0;
    },

    event(event, upcoming) {
      const { id } = event;
      if (event.kind === "started" && upcoming) {
        containers.set(id, upcoming);
        return { eventAt: event.at };
      }
      const entry = mark(id, urgent);
      if (event.kind === "started" && entry.reading && !entry.since) entry.startedAt = event.at;
      entry.eventAt ??= event.at;
      if (event.kind === "changed" || event.kind === "connected" || event.kind === "started") return undefined;
      if (event.kind === "signalled") {
        const known = containers.get(id);
        if (!asksToStop(event.signal, known?.stopSignal)) return undefined;
        const stopping = { signal: event.signal, at: event.at };
        stops.set(id, stopping);
        if (!known?.state.running) return undefined;
        containers.set(id, { ...known, stopping });
        return { eventAt: event.at };
      }
      if (event.kind === "removed") {
        if (entry.reading) entry.since = { kind: "removed" };
        return remove(id) ? { eventAt: event.at } : undefined;
      }
      stops.delete(id);
      if (entry.reading && entry.since?.kind !== "removed") entry.since = { kind: "died", exitCode: event.exitCode };
      const known = containers.get(id);
      if (!known || ended(known, event.exitCode) === known) return undefined;
      containers.set(id, ended(known, event.exitCode));
      return { eventAt: event.at };
    },

    survived(id) {
      stops.delete(id);
      const known = containers.get(id);
      if (!known?.stopping) return undefined;
      containers.set(id, withoutStop(known));
      return {};
    },

    list(ids) {
      awaited.clear();
      for (const id of [...ids, ...containers.keys(), ...unreadable.keys(), ...entries.keys()]) {
        awaited.add(id);
        mark(id, bulk);
      }
      return awaited.size === 0;
    },

    dirty(id, soon = false) {
      mark(id, soon ? urgent : bulk);
    },

    take(urgentOnly = false) {
      const isUrgent = urgent.size > 0;
      const queue = isUrgent ? urgent : urgentOnly ? undefined : bulk;
      const [id] = queue ?? [];
      if (id === undefined || !queue) return undefined;
      queue.delete(id);
      const entry = entries.get(id);
      if (!entry) return undefined;
      entry.dirty = false;
      entry.reading = true;
      delete entry.startedAt;
      delete entry.since;
      if (entry.eventAt !== undefined) entry.readingFor = entry.eventAt;
      delete entry.eventAt;
      return { id, urgent: isUrgent };
    },

    settle(id, reading) {
      const entry = entries.get(id);
      if (!entry?.reading) return undefined;
      const changed = apply(id, entry, reading);
      // A reading in flight often sees already what events after it tell: the engine holds its answer back until the start is done.
      const sawStart = entry.startedAt !== undefined && reading.kind === "read" && hasProcess(reading.container);
      if (sawStart) entry.dirty = false;
      const eventAt = sawStart ? entry.startedAt : (entry.readingFor ?? entry.eventAt);
      awaited.delete(id);
      entry.reading = false;
      delete entry.since;
      delete entry.readingFor;
      if (entry.dirty) (entry.eventAt === undefined ? bulk : urgent).add(id);
      else entries.delete(id);
      return changed ? (eventAt === undefined ? {} : { eventAt }) : undefined;
    },

    release(id) {
      const entry = entries.get(id);
      if (!entry?.reading) return;
      entry.reading = false;
      delete entry.since;
      if (entry.readingFor !== undefined) entry.eventAt = entry.readingFor;
      delete entry.readingFor;
      mark(id, bulk);
    },
  };
}

/** One that waits for its restart says that it is running, too. */
export function hasProcess({ state }: Pick<Container, "state">): boolean {
  return state.running && state.status !== "restarting";
}

/** What a container is at once after its process ended, until it is read again. */
function ended(container: Container, exitCode: number): Container {
  const { state } = container;
  if (!state.running && !state.paused) return container;
  return {
    ...withoutStop(container),
    pid: 0,
    state: { ...state, status: "exited", running: false, paused: false, exitCode },
  };
}

function withoutStop({ stopping: _, ...container }: Container): Container {
  return container;
}
