import type { ContainerBook } from "./containerBook.ts";
import type { ContainerEvent } from "./containerEvent.ts";
import type { Container } from "./containers.ts";
import type { NetworkEndpoint } from "./networkCalls.ts";

/**
 * What containers that are being started will be: their configuration is known since their creation, their addresses since their
 * networks were connected, which the engine does some 10 to 200 ms before it tells of the start. It decides; it does no I/O.
 *
 * Nothing here is a guess. Not foreseen is one that publishes ports, has a HEALTHCHECK, is on a network of another kind than bridge or
 * on one that was not read, or of which anything is heard that was not yet read; and whatever happens to one makes it forgotten.
 */
export interface UpcomingBook {
  /** Those that are known, by full id. */
  readonly containers: ReadonlyMap<string, Container>;
  /**
   * Takes an event. "expected": the container is connected to be started, and will be known once its networks are read; its inspect, which
   * the engine would hold back until the start is done, can wait. Of a start: what was known of the container.
   */
  event(event: ContainerEvent): Container | "expected" | undefined;
  /** A network to read now, and whose places in it are asked for. Gives one network at most once until it is settled. */
  take(): { network: string; containers: Iterable<string> } | undefined;
  /**
   * Ends what `take` began. Without `places` the network is not asked again.
   * @returns who is known now, and who will not be after all
   */
  settle(
    network: string,
    places: ReadonlyMap<string, NetworkEndpoint> | undefined,
  ): { known: string[]; unknown: string[] };
  /** Forgets everything: events were missed. */
  clear(): void;
}

interface Place {
  networkId: string;
  endpoint?: NetworkEndpoint;
}

interface Start {
  /** When its first network was connected, ms since the epoch. */
  at: number;
  /** By the network's name. */
  places: Map<string, Place>;
  /** What it is to be, and what of its configuration that was made from. */
  upcoming?: { container: Container; from: Container };
}

/**
 * @param book the containers as last inspected
 *
 * @example
 * const upcoming = createUpcomingBook(createContainerBook());
 * upcoming.event({ kind: "connected", id: "4f…", at: Date.now(), network: { id: "9a…", name: "bridge", driver: "bridge" } });
 * upcoming.take(); // { network: "9a…", containers: ["4f…"] }
 */
export function createUpcomingBook(book: Pick<ContainerBook, "containers" | "isCurrent">): UpcomingBook {
  const containers = new Map<string, Container>();
  const starts = new Map<string, Start>();
  /** By network: whose places have to be read, and whose are being read. */
  const waiting = new Map<string, Map<string, Place>>();
  const reading = new Map<string, Map<string, Place>>();
  const unreadable = new Set<string>();

  function forget(id: string): void {
    containers.delete(id);
    if (!starts.delete(id)) return;
    for (const [network, places] of waiting) {
      places.delete(id);
      if (places.size === 0) waiting.delete(network);
    }
  }

  /** Its configuration, when nothing else is to be read of it. */
  function configurationOf(id: string): Container | undefined {
    const container = book.isCurrent(id) ? book.containers.get(id) : undefined;
    return container?.foreseeable && !container.state.running ? container : undefined;
  }

  function connected({ id, at, network }: Extract<ContainerEvent, { kind: "connected" }>): "expected" | undefined {
    containers.delete(id);
    if (!configurationOf(id) || network.driver !== "bridge" || unreadable.has(network.id)) {
      forget(id);
      return undefined;
    }
    const start = starts.get(id) ?? { at, places: new Map<string, Place>() };
    delete start.upcoming;
    starts.set(id, start);
    const place: Place = { networkId: network.id };
    start.places.set(network.name, place);
    const places = waiting.get(network.id) ?? new Map<string, Place>();
    waiting.set(network.id, places.set(id, place));
    return "expected";
  }

  /** undefined: that it started is all that is known. */
  function started(id: string): Container | undefined {
    const upcoming = starts.get(id)?.upcoming;
    return upcoming && upcoming.from === configurationOf(id) ? upcoming.container : undefined;
  }

  /** Another network of it is yet to be connected, or to be read. */
  function isAwaited(id: string, { networks }: Container, { places }: Start): boolean {
    if (places.size < networks.length) return true;
    return [...waiting.values(), ...reading.values()].some((each) => each.has(id));
  }

  return {
    containers,

    event(event) {
      if (event.kind === "connected") return connected(event);
      const container = event.kind === "started" ? started(event.id) : undefined;
      forget(event.id);
      return container;
    },

    take() {
      for (const [network, places] of waiting) {
        if (reading.has(network)) continue;
        waiting.delete(network);
        reading.set(network, places);
        return { network, containers: places.keys() };
      }
      return undefined;
    },

    settle(network, found) {
      const asked = [...(reading.get(network) ?? [])];
      reading.delete(network);
      if (!found) {
        unreadable.add(network);
        asked.push(...(waiting.get(network) ?? []));
        waiting.delete(network);
      }
      const ended = { known: [] as string[], unknown: [] as string[] };
      for (const [id, place] of asked) {
        const endpoint = found?.get(id);
        if (endpoint) place.endpoint = endpoint;
        const start = starts.get(id);
        // Something else happened to it meanwhile.
        if (!start || ![...start.places.values()].includes(place)) continue;
        const from = configurationOf(id);
        const container = from && upcomingOf(from, start);
        if (container) {
          start.upcoming = { container, from };
          containers.set(id, container);
          ended.known.push(id);
        } else if (!endpoint || !from || !isAwaited(id, from, start)) {
          forget(id);
          ended.unknown.push(id);
        }
      }
      return ended;
    },

    clear() {
      for (const each of [containers, starts, waiting, reading, unreadable]) each.clear();
    },
  };
}

/** What the container will be; undefined: not all of it is known. */
function upcomingOf(container: Container, { at, places }: Start): Container | undefined {
  if (container.networks.length === 0 || container.networks.length !== places.size) return undefined;
  const networks: Container["networks"][number][] = [];
  for (const network of container.networks) {
    const place = places.get(network.name);
    if (!place?.endpoint) return undefined;
    networks.push({ ...network, networkId: place.networkId, ...place.endpoint });
  }
  return {
    ...container,
    ports: container.exposedPorts.map((port) => ({ port, hostIp: "", hostPort: "" })),
    networks,
    state: { status: "running", running: true, paused: false, exitCode: 0, health: "none", healthOutput: "" },
    startedAt: new Date(at).toISOString(),
  };
}
