import type { NetworkCalls } from "./networkCalls.ts";
import type { UpcomingBook } from "./upcomingBook.ts";

/** Reads the networks that an {@link UpcomingBook} asks for, each at most once at a time. */
export interface EndpointReader {
  wake(): void;
  /** Resolves when nothing is under way; its signal makes that soon. */
  ended(): Promise<void>;
}

/** Networks read at a time. */
const maxReads = 4;
/** What is not known by then comes with the inspect. */
const timeoutMs = 2000;

/** `known`: more containers are. `unknown`: these will not be, and are to be inspected after all. */
export function createEndpointReader(reader: {
  listEndpoints: NetworkCalls["listEndpoints"];
  upcoming: UpcomingBook;
  known: () => void;
  unknown: (ids: readonly string[]) => void;
  signal: AbortSignal;
}): EndpointReader {
  const { listEndpoints, upcoming, known, unknown, signal } = reader;
  const underWay = new Set<Promise<void>>();
  // What was known before belongs to another stream of events.
  upcoming.clear();

  function wake(): void {
    while (!signal.aborted && underWay.size < maxReads) {
      const taken = upcoming.take();
      if (!taken) return;
      const done = read(taken.network, taken.containers).then(() => {
        underWay.delete(done);
        wake();
      });
      underWay.add(done);
    }
  }

  async function read(network: string, containers: Iterable<string>): Promise<void> {
    const places = await listEndpoints(network, containers, { signal, timeoutMs }).catch(() => undefined);
    if (signal.aborted) return;
    const ended = upcoming.settle(network, places);
    if (ended.known.length > 0) known();
    if (ended.unknown.length > 0) unknown(ended.unknown);
  }

  return {
    wake,
    async ended() {
      await Promise.allSettled(underWay);
    },
  };
}
