import { backoff } from "./backoff.ts";
import { type ContainerBook, hasProcess, type Reading } from "./containerBook.ts";
import { containerEvent } from "./containerEvent.ts";
import type { Container, EngineInfo } from "./containers.ts";
import type { WatchedEngine, WatcherOptions } from "./createContainerWatcher.ts";
import { DockerError } from "./dockerError.ts";
import { createEndpointReader, type EndpointReader } from "./endpointReader.ts";
import type { UpcomingBook } from "./upcomingBook.ts";

/** What a session works with, and whom it tells. */
export interface Session {
  engine: WatchedEngine;
  book: ContainerBook;
  /** Absent: nothing is foreseen. */
  upcoming?: UpcomingBook;
  settings: Required<Omit<WatcherOptions, "log" | "foresee" | "onStarted" | "backoffFirstMs" | "backoffCapMs">>;
  log: WatcherOptions["log"];
  /** One started, as an event told; the next state has it. */
  started?(container: Container): void;
  /** Something in the book changed. */
  changed(eventAt: number | undefined): void;
  /** A container was told to end. */
  stopping(id: string): void;
  /** Everything that the list named has been read. */
  complete(engine: EngineInfo): void;
}

/** Events of these types carry all that the book wants to know. */
const filters = { type: ["container", "network"] };

/**
 * Watches over one event stream: asks who the engine is, subscribes, lists, inspects, and follows the events. Returns when it is
 * time to do all of that again, with nothing lost; throws when the engine is lost. Nothing of it runs on after that.
 *
 * @throws {DockerError}
 */
export async function watchSession(session: Session, closing: AbortSignal): Promise<void> {
  const { engine, settings } = session;
  const life = new AbortController();
  const { signal } = life;
  const stop = () => life.abort();
  closing.addEventListener("abort", stop, { once: true });
  if (closing.aborted) stop();
  const alive = { at: performance.now() };
  let reader: Reader | undefined;
  let endpoints: EndpointReader | undefined;
  try {
    // Asked anew each time: the engine may have been replaced by another version.
    const { negotiated } = await engine.version({ signal, timeoutMs: settings.pingTimeoutMs });
    const info = await engine.info({ signal, timeoutMs: settings.listTimeoutMs });
    const about = { id: info.id, name: info.name, version: info.version, apiVersion: negotiated };
    const onBytes = () => {
      alive.at = performance.now();
    };
    const live = untilComplete(session);
    reader = startReader(live, about, signal);
    endpoints = endpointReader(live, reader, signal);
    const heard = follower(live, reader, endpoints);
    // The engine answers a moment before it subscribes; `since` has it repeat what happens in between.
    const options = { signal, filters, since: info.systemTime, onBytes, timeoutMs: settings.listTimeoutMs };
    const events = await engine.events(heard, options);
    await Promise.race([
      events.ended.then(() => {
        throw new DockerError("unavailable", "the engine closed the event stream");
      }),
      list(session, reader, signal),
      doubt(engine, settings, alive, signal),
      elapsed(settings.relistMs * (0.9 + Math.random() * 0.2), signal),
      reader.failed,
    ]);
  } finally {
    stop();
    closing.removeEventListener("abort", stop);
    await Promise.all([reader?.ended(), endpoints?.ended()]);
  }
}

/** The session, which tells of no start before its list is complete: the last state may be old by then, and of another engine. */
function untilComplete(session: Session): Session {
  let isComplete = false;
  return {
    ...session,
    started(container) {
      if (isComplete) session.started?.(container);
    },
    complete(engine) {
      isComplete = true;
      session.complete(engine);
    },
  };
}

/** Reads the networks of those that are being started; undefined: nothing is foreseen. */
function endpointReader(session: Session, reader: Reader, signal: AbortSignal): EndpointReader | undefined {
  const { engine, upcoming, book } = session;
  if (!upcoming || !engine.listEndpoints) return undefined;
  const listEndpoints = engine.listEndpoints.bind(engine);
  const known = () => session.changed(undefined);
  const unknown = (ids: readonly string[]) => {
    for (const id of ids) book.dirty(id, true);
    reader.wake();
  };
  return createEndpointReader({ listEndpoints, upcoming, known, unknown, signal });
}

/** One whose start was foreseen is inspected so long after it, in ms: what the start leads to goes first. */
const foreseenMs = 50;

/** Feeds the book with each event. */
function follower(
  { book, upcoming, started, changed, stopping }: Session,
  reader: Reader,
  endpoints: EndpointReader | undefined,
): (message: unknown) => void {
  return (message) => {
    const event = containerEvent(message);
    if (!event) return;
    const wasUpcoming = upcoming?.containers.has(event.id) ?? false;
    const foreseen = upcoming?.event(event);
    if (foreseen === "expected") {
      endpoints?.wake();
      return;
    }
    if (foreseen) started?.(foreseen);
    const change = book.event(event, foreseen);
    if (change || wasUpcoming) changed(change?.eventAt);
    if (foreseen) reader.later(event.id, true, foreseenMs);
    if (event.kind === "signalled") stopping(event.id);
    reader.wake();
  };
}

/** Has everything read, and then never returns: it is one of several in a race. */
async function list(session: Session, reader: Reader, signal: AbortSignal): Promise<never> {
  const { engine, settings, book } = session;
  const found = await engine.listContainers({ all: true, signal, timeoutMs: settings.listTimeoutMs });
  book.list(found.map(({ id }) => id));
  reader.listed();
  await elapsed(Number.POSITIVE_INFINITY, signal);
  throw new DockerError("aborted", "the session is over");
}

/** Throws when the stream is silent and the engine does not answer either; returns when this process was itself not running. */
async function doubt(
  engine: WatchedEngine,
  { pingMs, pingTimeoutMs }: Session["settings"],
  alive: { at: number },
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; ; ) {
    const asleep = performance.now();
    if (failures === 0) await elapsed(pingMs, signal);
    if (signal.aborted) return;
    // While it was stopped (suspended, debugged) the engine may have dropped events for it.
    if (performance.now() - asleep > pingMs + 5000) return;
    if (performance.now() - alive.at < pingMs) continue;
    try {
      await engine.ping({ signal, timeoutMs: pingTimeoutMs });
      failures = 0;
    } catch (error) {
      // A busy engine may miss one; who refuses or is gone is believed at once.
      if (++failures >= 2 || !(error instanceof DockerError && error.code === "timeout")) throw error;
    }
  }
}

/** Inspects what the book wants read, a bounded number at a time. */
interface Reader {
  wake(): void;
  /** Inspects it in so many ms, and then at once or in its turn. */
  later(id: string, soon: boolean, ms: number): void;
  /** The list is in the book: tells the session when all of it has been read. */
  listed(): void;
  /** Rejects when inspecting fails in a way that was not foreseen. */
  failed: Promise<never>;
  /** Resolves when no inspect is under way and no timer is left. */
  ended(): Promise<void>;
}

function startReader(session: Session, about: EngineInfo, signal: AbortSignal): Reader {
  const { book, engine, settings, log } = session;
  const timers = new Map<string, ReturnType<typeof setTimeout>>();
  const failures = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  let bulk = 0;
  let isListed = false;
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {}); // also when the race is over already

  function wake(): void {
    while (!signal.aborted && underWay.size < settings.maxInspects) {
      const taken = book.take(bulk >= settings.maxListInspects);
      if (!taken) break;
      if (!taken.urgent) bulk++;
      const done = read(taken.id, taken.urgent).then(
        () => {
          underWay.delete(done);
          if (!taken.urgent) bulk--;
          wake();
        },
        (error: unknown) => {
          underWay.delete(done);
          reject(error);
        },
      );
      underWay.add(done);
    }
    if (isListed && book.complete) {
      isListed = false;
      session.complete(about);
    }
  }

  async function read(id: string, isUrgent: boolean): Promise<void> {
    const reading = await inspect(id);
    if (signal.aborted || reading === undefined) return book.release(id);
    const before = book.containers.get(id);
    const change = book.settle(id, reading);
    const now = change && book.containers.get(id);
    if (isUrgent && now && hasProcess(now) && !(before && hasProcess(before))) session.started?.(now);
    if (reading.kind === "failed") again(id, reading.reason);
    else failures.delete(id);
    if (reading.kind === "unreadable" && change) log.warn("a container is left out", { id, reason: reading.reason });
    if (change) session.changed(change.eventAt);
  }

  async function inspect(id: string): Promise<Reading | undefined> {
    try {
      const container = await engine.inspectContainer(id, { signal, timeoutMs: settings.inspectTimeoutMs });
      return { kind: "read", container };
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      if (error.code === "aborted") return undefined;
      if (error.code === "not_found") return { kind: "gone" };
      return { kind: error.code === "bad_answer" ? "unreadable" : "failed", reason: error.message };
    }
  }

  function again(id: string, reason: string): void {
    const count = failures.get(id) ?? 0;
    failures.set(id, count + 1);
    if (count === 0) log.warn("a container cannot be read now; trying again", { id, reason });
    later(id, false, backoff(count, { firstMs: 250, capMs: 10_000 }));
  }

  function later(id: string, soon: boolean, ms: number): void {
    clearTimeout(timers.get(id));
    const read = () => {
      timers.delete(id);
      book.dirty(id, soon);
      wake();
    };
    timers.set(id, setTimeout(read, ms));
  }

  return {
    wake,
    later,
    failed,
    listed() {
      isListed = true;
      wake();
    },
    async ended() {
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.allSettled(underWay);
    },
  };
}

/** Resolves after `ms`, or with the signal, whose owner goes on anyway. */
function elapsed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}
