import {
  connectionsOf,
  conntrackStatus,
  deleteConnection,
  ipProtocol,
  listConnections,
  NetlinkError,
  type NetlinkSocket,
  type TrackedConnection,
} from "../../../../lib/netlink/index.ts";
import type { AppliedRoute, Plane, Route } from "../plane.ts";
import {
  backendValue,
  desiredSets,
  type HostFacts,
  hexOfAddress,
  hexOfPort,
  hexOfProtocol,
  type Targets,
} from "./desiredSets.ts";
import { readHostFacts } from "./hostFacts.ts";
import { KernelTable } from "./kernelTable.ts";
import { whyNotKernel } from "./whyNotKernel.ts";

/** A packet that was on its way while the map changed is tracked a moment later: look again then. */
const secondLookMs = 100;

export interface KernelPlaneOptions {
  /** Default "quayside-ambassadord". */
  table?: string;
  /** Default: read from /proc at every apply. */
  facts?: () => HostFacts;
}

export interface KernelCounters {
  applies: number;
  /** How often the table was made anew: 1 after the start, more when a stranger broke it. */
  rebuilds: number;
  elementChanges: number;
  /** Half-open connections taken away from backends that left. */
  freed: number;
}

/**
 * The kernel moves the bytes: one nftables table translates a caller's connections to this host's address into
 * connections to its backends. See ruleset.ts for the rules.
 */
export class KernelPlane implements Plane {
  readonly kind = "kernel";
  readonly counters: KernelCounters = { applies: 0, rebuilds: 0, elementChanges: 0, freed: 0 };
  readonly #socket: NetlinkSocket;
  readonly #table: KernelTable;
  readonly #readFacts: () => HostFacts;
  #facts: HostFacts;
  #targets: Targets = new Map();
  #refusing: ReadonlySet<string> = new Set();
  /** Some route has several backends: only their refusals are remembered. */
  #balances = false;
  #secondLook: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: NetlinkSocket, options: KernelPlaneOptions = {}) {
    this.#socket = socket;
    this.#table = new KernelTable(socket, options.table ?? "quayside-ambassadord");
    this.#readFacts = options.facts ?? readHostFacts;
    this.#facts = this.#readFacts();
  }

  canCarry(route: Route): { ok: true } | { ok: false; why: string } {
    const why = whyNotKernel(route, this.#facts);
    return why === undefined ? { ok: true } : { ok: false, why };
  }

  /**
   * Whether to apply again: somebody changed the ruleset since, or backends have begun to refuse connects, or may be tried
   * again. Cheap enough for a few times a second.
   */
  outdated(): boolean {
    return this.#table.changed() || (this.#balances && !isSame(this.#table.refusing(), this.#refusing));
  }

  /** @throws {NetlinkError} when the kernel refuses the batch: nothing has changed then. */
  async apply(routes: readonly Route[]): Promise<AppliedRoute[]> {
    this.#facts = this.#readFacts();
    const refusals = new Map<Route, string>();
    const carried = routes.filter((route) => {
      const why = whyNotKernel(route, this.#facts);
      if (why !== undefined) refusals.set(route, why);
      return why === undefined;
    });
    this.#refusing = this.#balances ? this.#table.refusing() : new Set();
    const { sets, targets, taken } = desiredSets(carried, this.#facts, this.#refusing);
    this.#balances = [...targets.values()].some(({ size }) => size > 1);
    for (const [route, owner] of taken) refusals.set(route, `route ${owner} has this caller and port already`);
    const { rebuilt, changes } = this.#table.write(sets);
    this.counters.applies++;
    this.counters.elementChanges += changes;
    if (rebuilt) this.counters.rebuilds++;
    this.#freeHalfOpen(targets, rebuilt);
    return routes.map((route) => appliedRoute(route, refusals.get(route), this.#refusing));
  }

  async close(): Promise<void> {
    clearTimeout(this.#secondLook);
    try {
      this.#table.remove();
    } finally {
      this.#socket.close();
    }
  }

  #freeHalfOpen(targets: Targets, rebuilt: boolean): void {
    const before = this.#targets;
    this.#targets = targets;
    const left = [...before].filter(([key, values]) => {
      const now = targets.get(key);
      return [...values].some((value) => !now?.has(value));
    });
    if (left.length === 0 && !rebuilt) return;
    const keys = new Set([...targets.keys(), ...left.map(([key]) => key)]);
    this.#free(keys);
    clearTimeout(this.#secondLook);
    this.#secondLook = setTimeout(() => this.#free(keys), secondLookMs);
    this.#secondLook.unref?.();
  }

  /**
   * Takes away tracked connections of our callers that were never answered and go to a backend that their route no longer has
   * (for UDP, answered ones too: it has no connections that could stay): the next packet is balanced anew.
   */
  #free(keys: ReadonlySet<string>): void {
    const udp = [...keys].some((key) => key.slice(8, 16) === hexOfProtocol(ipProtocol.udp));
    try {
      for (const connection of connectionsOf(this.#socket.dump(listConnections({ unreplied: !udp })))) {
        if (!isHalfOpen(connection)) continue;
        const { original, reply } = connection;
        const key =
          hexOfAddress(original.source) + hexOfProtocol(original.protocol) + hexOfPort(original.destinationPort);
        if (!keys.has(key)) continue;
        if (this.#targets.get(key)?.has(hexOfAddress(reply.source) + hexOfPort(reply.sourcePort))) continue;
        if (this.#delete(connection)) this.counters.freed++;
      }
    } catch (error) {
      // The routes stand; what was not freed goes by its own timeout.
      if (!(error instanceof NetlinkError)) throw error;
    }
  }

  #delete(connection: TrackedConnection): boolean {
    try {
      this.#socket.ask(deleteConnection(connection));
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && error.code === "ENOENT") return false;
      throw error;
    }
  }
}

function isHalfOpen({ original, status }: TrackedConnection): boolean {
  if (!(status & conntrackStatus.dstNat)) return false;
  return original.protocol === ipProtocol.udp || !(status & conntrackStatus.seenReply);
}

function appliedRoute(route: Route, refusal: string | undefined, refusing: ReadonlySet<string>): AppliedRoute {
  if (refusal !== undefined) return { route, plane: "none", why: refusal, state: "refused" };
  const live = route.backends.filter(({ weight }) => weight > 0);
  if (live.length === 0)
    return { route, plane: "kernel", why: "no backends: connects are refused", state: "no_backends" };
  const applied: AppliedRoute = {
    route,
    plane: "kernel",
    why: "the backends are known and nothing else is asked",
    state: "active",
  };
  const leftOut = live.filter((backend) => refusing.has(backendValue(backend)));
  return route.proto === "udp" || leftOut.length === 0 ? applied : { ...applied, refusing: leftOut };
}

function isSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((value) => other.has(value));
}
