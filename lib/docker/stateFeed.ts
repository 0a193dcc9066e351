import type { Container, ContainersState, EngineInfo } from "./containers.ts";

/** What a feed reads a state from; it is asked only when a consumer wants one. */
export interface FeedSource {
  readonly containers: ReadonlyMap<string, Container>;
  readonly unreadable: ReadonlyMap<string, string>;
  readonly upcoming?: ReadonlyMap<string, Container>;
}

/** Whether the engine is reached. */
export type Link = { connected: boolean; reason?: string; engine?: EngineInfo };

/** Gives each consumer the newest state when it asks, and never the same one twice. */
export interface StateFeed {
  /** The newest state; undefined until the first {@link publish}. `changed` is empty. */
  current(): ContainersState | undefined;
  /** Something changed. `eventAt`: when the event behind it happened. */
  publish(link: Link, eventAt?: number): void;
  states(signal: AbortSignal): AsyncIterable<ContainersState>;
  /** Ends all consumers. */
  end(): void;
}

interface Consumer {
  wake: (() => void) | undefined;
  eventAt: number | undefined;
}

const noIds: ReadonlySet<string> = new Set();

/** Conflation is by reading late: what is kept for a slow consumer is the last state that it was given and one number. */
export function createStateFeed(source: FeedSource): StateFeed {
  const consumers = new Set<Consumer>();
  let link: Link | undefined;
  let version = 0;
  let ended = false;
  let newest: ContainersState | undefined;

  function current(): ContainersState | undefined {
    if (!link) return undefined;
    newest ??= {
      ...link,
      containers: new Map(source.containers),
      unreadable: new Map(source.unreadable),
      ...(source.upcoming ? { upcoming: new Map(source.upcoming) } : {}),
      changed: noIds,
      version,
    };
    return newest;
  }

  async function* states(signal: AbortSignal): AsyncGenerator<ContainersState, void, undefined> {
    const consumer: Consumer = { wake: undefined, eventAt: undefined };
    consumers.add(consumer);
    const wake = () => consumer.wake?.();
    signal.addEventListener("abort", wake);
    let given: ContainersState | undefined;
    try {
      while (!signal.aborted && !ended) {
        const state = current();
        if (state && state.version !== given?.version) {
          const { eventAt } = consumer;
          consumer.eventAt = undefined;
          const changed = changedIds(given, state);
          given = state;
          yield { ...state, changed, ...(eventAt === undefined ? {} : { eventAt }) };
          continue;
        }
        await new Promise<void>((resolve) => {
          consumer.wake = resolve;
        });
        consumer.wake = undefined;
      }
    } finally {
      signal.removeEventListener("abort", wake);
      consumers.delete(consumer);
    }
  }

  return {
    current,
    states: (signal) => ({ [Symbol.asyncIterator]: () => states(signal) }),
    publish(now, eventAt) {
      link = now;
      version++;
      newest = undefined;
      for (const consumer of consumers) {
        if (eventAt !== undefined) consumer.eventAt = Math.min(consumer.eventAt ?? eventAt, eventAt);
        consumer.wake?.();
      }
    },
    end() {
      ended = true;
      for (const consumer of consumers) consumer.wake?.();
    },
  };
}

/** Ids whose entry differs between two states; entries are compared by identity, which stays where nothing changed. */
export function changedIds(
  before: Pick<ContainersState, "containers" | "unreadable"> | undefined,
  after: Pick<ContainersState, "containers" | "unreadable">,
): ReadonlySet<string> {
  const changed = new Set<string>();
  const compare = <T extends string | object>(old: ReadonlyMap<string, T> = new Map(), now: ReadonlyMap<string, T>) => {
    let kept = 0;
    for (const [id, value] of now) {
      const was = old.get(id);
      if (was !== undefined) kept++;
      if (was !== value) changed.add(id);
    }
    if (kept < old.size) for (const id of old.keys()) if (!now.has(id)) changed.add(id);
  };
  compare(before?.containers, after.containers);
  compare(before?.unreadable, after.unreadable);
  return changed;
}
