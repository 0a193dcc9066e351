import { pause } from "../time/pause.ts";
import { backoff } from "./backoff.ts";
import { createContainerBook } from "./containerBook.ts";
import type { ContainerCalls } from "./containerCalls.ts";
import type { Container, ContainersState } from "./containers.ts";
import { DockerError } from "./dockerError.ts";
import type { NetworkCalls } from "./networkCalls.ts";
import { createStateFeed, type Link } from "./stateFeed.ts";
import type { SystemCalls } from "./systemCalls.ts";
import { createUpcomingBook } from "./upcomingBook.ts";
import type { WatcherLog } from "./watcherLog.ts";
import { type Session, watchSession } from "./watchSession.ts";

/** What a watcher asks of an engine; a DockerClient has it. */
export type WatchedEngine = Pick<SystemCalls, "ping" | "version" | "info" | "events"> &
  Pick<ContainerCalls, "listContainers" | "inspectContainer"> &
  Partial<Pick<NetworkCalls, "listEndpoints">>;

/** Times in ms. */
export interface WatcherOptions {
  log: WatcherLog;
  /**
   * Whether states tell of containers that are being started (`upcoming`), which then run at once at the start event: what is asked
   * of their networks while the engine starts them saves the wait for their inspect. Default false.
   */
  foresee?: boolean;
  /** Told of each start that an event tells of, before the state that has it: for what should be under way by then. */
  onStarted?: (container: Container) => void;
  /** Everything is subscribed, listed and inspected anew this often. Default 300 000. */
  relistMs?: number;
  /** A silent event stream is doubted after this long: the engine must then answer a ping. Default 10 000. */
  pingMs?: number;
  /** How long the engine may take for a ping or its version, a list or its info, an inspect. Defaults 5000, 60 000, 10 000. */
  pingTimeoutMs?: number;
  listTimeoutMs?: number;
  inspectTimeoutMs?: number;
  /** Inspects at a time: those that events ask for, and of them those that a list alone asks for. Defaults 32 and 8. */
  maxInspects?: number;
  maxListInspects?: number;
  /** Who still lives so long after it was told to end goes on living. Default 30 000. */
  stoppingMs?: number;
  /** Waits between tries to reach the engine. Defaults 100 and 5000. */
  backoffFirstMs?: number;
  backoffCapMs?: number;
}

/** A session that lasted so long was a good one. */
const steadyMs = 5000;

/** Keeps the promises of containers.ts. */
export interface ContainerWatcher {
  /** Full states, the newest first given at once. Each consumer has its own `changed`. Ends by its signal, or when the watcher is closed. */
  states(signal: AbortSignal): AsyncIterable<ContainersState>;
  /** The newest state; undefined before the engine has been reached, or been tried, for the first time. */
  current(): ContainersState | undefined;
  /** Ends everything that the watcher does; resolves when nothing of it is left. */
  close(): Promise<void>;
}

/**
 * Watches an engine's containers, from now until it is closed, whatever becomes of the engine.
 *
 * @example
 * const watcher = createContainerWatcher(dockerClientFromEnv(), { log });
 * for await (const state of watcher.states(signal)) console.log(state.connected, state.containers.size);
 */
export function createContainerWatcher(engine: WatchedEngine, options: WatcherOptions): ContainerWatcher {
  const { log } = options;
  const settings = {
    relistMs: options.relistMs ?? 300_000,
    pingMs: options.pingMs ?? 10_000,
    pingTimeoutMs: options.pingTimeoutMs ?? 5000,
    listTimeoutMs: options.listTimeoutMs ?? 60_000,
    inspectTimeoutMs: options.inspectTimeoutMs ?? 10_000,
    maxInspects: options.maxInspects ?? 32,
    maxListInspects: options.maxListInspects ?? 8,
    stoppingMs: options.stoppingMs ?? 30_000,
  };
  const closing = new AbortController();
  const book = createContainerBook();
  const upcoming = options.foresee && engine.listEndpoints ? createUpcomingBook(book) : undefined;
  const { containers, unreadable } = book;
  const feed = createStateFeed({ containers, unreadable, ...(upcoming ? { upcoming: upcoming.containers } : {}) });
  const stopTimers = new Map<string, ReturnType<typeof setTimeout>>();
  let link: Link = { connected: false };

  const session: Session = {
    engine,
    book,
    ...(upcoming ? { upcoming } : {}),
    ...(options.onStarted ? { started: options.onStarted } : {}),
    settings,
    log,
    changed: (eventAt) => {
      // Before the first list has been read, what is known is a part, and a state is always whole: `complete` gives the first.
      if (feed.current()) feed.publish(link, eventAt);
    },
    stopping: (id) => {
      clearTimeout(stopTimers.get(id));
      const survived = () => {
        stopTimers.delete(id);
        if (book.survived(id) && feed.current()) feed.publish(link);
      };
      stopTimers.set(id, setTimeout(survived, settings.stoppingMs));
    },
    complete: (info) => {
      const first = !link.connected;
      const same = link.connected && isSame(link.engine, info);
      link = { connected: true, engine: info };
      if (!same) feed.publish(link);
      if (first) log.info("Docker is watched", { ...info, containers: book.containers.size });
    },
  };

  async function run(): Promise<void> {
    let attempt = 0;
    while (!closing.signal.aborted) {
      const began = performance.now();
      try {
        await watchSession(session, closing.signal);
      } catch (error) {
        if (closing.signal.aborted) return;
        // An engine that was well for a while is expected back soon; one that comes and goes is not hurried.
        if (performance.now() - began > steadyMs) attempt = 0;
        lost(error, attempt);
        await pause(
          backoff(attempt++, { firstMs: options.backoffFirstMs ?? 100, capMs: options.backoffCapMs ?? 5000 }),
          closing.signal,
        );
      }
    }
  }

  function lost(error: unknown, attempt: number): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (!(error instanceof DockerError)) log.warn("the Docker watcher failed unexpectedly", { error: reason });
    if (!link.connected && link.reason === reason) return;
    const { engine: known } = link;
    link = { connected: false, reason, ...(known ? { engine: known } : {}) };
    feed.publish(link);
    log.warn("Docker is not reached; trying again until it is", { reason, attempt });
  }

  const running = run();

  return {
    states: (signal) => feed.states(signal),
    current: () => feed.current(),
    async close() {
      closing.abort();
      for (const timer of stopTimers.values()) clearTimeout(timer);
      feed.end();
      await running;
    },
  };
}

function isSame(a: object | undefined, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
