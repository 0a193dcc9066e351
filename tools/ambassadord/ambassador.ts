import type { Logger } from "../../lib/cli/logger.ts";
import type { Discovery } from "../../lib/discovery/discovery.ts";
import type { ContainersState } from "../../lib/docker/containers.ts";
import { NetlinkError } from "../../lib/netlink/netlinkError.ts";
import { explain } from "./explain.ts";
import { applyRoutes, type Planes } from "./planes/applyRoutes.ts";
import type { KernelCounters, KernelPlane } from "./planes/kernel/kernelPlane.ts";
import type { Unavailable } from "./planes/pick.ts";
import type { AppliedRoute } from "./planes/plane.ts";
import type { SocketCounters, SocketPlane } from "./planes/socket/socketPlane.ts";
import { DiscoveryView } from "./routes/discoveryView.ts";
import { readHostAddresses } from "./routes/hostAddresses.ts";
import { HostNames } from "./routes/hostNames.ts";
import { LocalBackends } from "./routes/localBackends.ts";
import { NetworkFacts, type NetworkInspector } from "./routes/networkFacts.ts";
import { type RoutesAsked, routesOf } from "./routes/routesOf.ts";
import { sayRefusing } from "./sayRefusing.ts";
import { Table } from "./table.ts";

/** What the ambassador needs of a container watcher. */
export interface ContainerStates {
  states(signal: AbortSignal): AsyncIterable<ContainersState>;
}

export interface AmbassadorParts {
  containers: ContainerStates;
  discovery: Pick<Discovery, "watch">;
  /** Asked about networks, where given: those that are internal or isolated are known then. A DockerClient has it. */
  networks: NetworkInspector | undefined;
  planes: Planes & { kernel: KernelPlane | Unavailable; socket: SocketPlane };
  log: Logger;
  /** How often everything is applied again though nothing seems to have changed. */
  reapplyMs: number;
}

export interface AmbassadorCounters {
  applies: number;
  failedApplies: number;
  /** How long the last apply took, ms. */
  lastApplyMs: number;
  /** From the oldest Docker event behind an apply to its end, of the last that an event led to, ms; undefined before the first. */
  lastEventToRouteMs: number | undefined;
  kernel: KernelCounters | undefined;
  socket: SocketCounters;
}

/** Several changes that come together are applied together. */
const coalesceMs = 2;
/** Between two looks at whether the kernel's rules are still what they should be: well below the second of a caller's next SYN. */
const driftMs = 250;
/** How long the first apply waits for discovery, so that a restart does not empty the routes that still stand. */
const patienceMs = 5000;
const retryMs = 1000;

/** The loop: states of containers and of discovery -> routes -> planes, level-triggered. */
export class Ambassador {
  readonly #parts: AmbassadorParts;
  readonly #view: DiscoveryView;
  readonly #names: HostNames;
  readonly #networks: NetworkFacts;
  readonly #local = new LocalBackends();
  readonly #table = new Table<readonly AppliedRoute[]>([]);
  readonly #stop = new AbortController();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #following: Promise<void>[] = [];
  #state: ContainersState | undefined;
  #asked: RoutesAsked | undefined;
  #eventAt: number | undefined;
  #scheduled: ReturnType<typeof setTimeout> | undefined;
  #applying: Promise<void> = Promise.resolve();
  #startedAt = 0;
  #said = new Map<string, string>();
  readonly #sayRefusing: ReturnType<typeof sayRefusing>;
  readonly #counters = {
    applies: 0,
    failedApplies: 0,
    lastApplyMs: 0,
    lastEventToRouteMs: undefined as number | undefined,
  };

  constructor(parts: AmbassadorParts) {
    this.#parts = parts;
    this.#sayRefusing = sayRefusing(parts.log);
    this.#view = new DiscoveryView(parts.discovery, parts.log, () => this.#schedule());
    this.#names = new HostNames(() => this.#schedule());
    this.#networks = new NetworkFacts(parts.networks, () => this.#schedule());
  }

  start(): void {
    this.#startedAt = Date.now();
    this.#following.push(this.#view.follow(this.#stop.signal), this.#followContainers());
    this.#timers.push(
      setInterval(() => this.#lookForDrift(), driftMs),
      setInterval(() => this.#schedule(), this.#parts.reapplyMs),
    );
  }

  routes(): readonly AppliedRoute[] {
    return this.#table.value;
  }

  watch(signal: AbortSignal): AsyncIterable<readonly AppliedRoute[]> {
    return this.#table.watch(AbortSignal.any([signal, this.#stop.signal]));
  }

  explain(caller: string, port: number): string {
    return explain(caller, port, {
      routes: this.routes(),
      notes: this.#asked?.notes ?? new Map(),
      failures: (id) => this.#parts.planes.socket.failures(id),
    });
  }

  counters(): AmbassadorCounters {
    const { kernel, socket } = this.#parts.planes;
    return {
      ...this.#counters,
      kernel: "unavailable" in kernel ? undefined : { ...kernel.counters },
      socket: { ...socket.counters, refused: { ...socket.counters.refused } },
    };
  }

  /** Why what is served may be old; undefined when it is not. */
  trouble(): string | undefined {
    if (!this.#state) return "Docker has not been heard of yet";
    if (!this.#state.connected) return this.#state.reason ?? "Docker does not answer";
    return this.#view.known ? this.#view.trouble : (this.#view.trouble ?? "discovery has not been heard of yet");
  }

  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    clearTimeout(this.#scheduled);
    for (const timer of this.#timers) clearInterval(timer);
    await this.#applying;
    const { kernel, socket } = this.#parts.planes;
    await socket.close();
    if (!("unavailable" in kernel)) await kernel.close();
    await Promise.allSettled(this.#following);
  }

  async #followContainers(): Promise<void> {
    try {
      for await (const state of this.#parts.containers.states(this.#stop.signal)) {
        this.#state = state;
        if (state.eventAt !== undefined) this.#eventAt = Math.min(this.#eventAt ?? state.eventAt, state.eventAt);
        this.#schedule();
      }
    } catch (error) {
      // By its contract it ends by the signal only; what is served stays.
      if (!this.#stop.signal.aborted) this.#parts.log.error("the container watcher failed", { reason: String(error) });
    }
  }

  #lookForDrift(): void {
    const { kernel } = this.#parts.planes;
    if ("unavailable" in kernel || this.#asked === undefined) return;
    try {
      if (kernel.outdated()) this.#schedule();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#schedule();
    }
  }

  #schedule(afterMs: number = coalesceMs): void {
    if (this.#scheduled !== undefined || this.#stop.signal.aborted) return;
    this.#scheduled = setTimeout(() => {
      this.#applying = this.#applying.then(() => {
        // Changes from here on need an apply of their own.
        this.#scheduled = undefined;
        return this.#apply();
      });
    }, afterMs);
  }

  async #apply(): Promise<void> {
    const state = this.#state;
    if (this.#stop.signal.aborted || !state || (!state.connected && state.containers.size === 0)) return;
    if (!this.#view.known && Date.now() - this.#startedAt < patienceMs) return this.#schedule(50);
    const begun = performance.now();
    const eventAt = this.#eventAt;
    this.#eventAt = undefined;
    const host = readHostAddresses();
    this.#local.update(state.containers.values(), host.local);
    const asked = routesOf({
      containers: state.containers.values(),
      instances: (service) => this.#view.instances(service),
      local: this.#local,
      resolve: (name) => this.#names.resolve(name),
      host,
      network: (id) => this.#networks.find(id),
    });
    this.#networks.keep(asked.networkIds);
    // After a restart the routes of the process before still stand: they are replaced by whole ones only.
    if (asked.waiting && this.#asked === undefined) return this.#schedule(20);
    this.#names.keep(asked.hostNames);
    const rebuilds = this.#rebuilds();
    try {
      const applied = await applyRoutes(asked.routes, this.#parts.planes, this.#table.value);
      this.#asked = asked;
      this.#counters.applies++;
      this.#publish([...applied.map((one) => withNotes(one, asked)), ...asked.refused]);
    } catch (error) {
      this.#counters.failedApplies++;
      this.#parts.log.error("the routes could not be applied", { reason: String(error), retryMs });
      setTimeout(() => this.#schedule(), retryMs).unref?.();
      return;
    }
    if (rebuilds > 0 && this.#rebuilds() > rebuilds)
      this.#parts.log.warn("somebody had changed our kernel table; it is repaired");
    this.#counters.lastApplyMs = performance.now() - begun;
    if (eventAt !== undefined) this.#counters.lastEventToRouteMs = Date.now() - eventAt;
  }

  #rebuilds(): number {
    const { kernel } = this.#parts.planes;
    return "unavailable" in kernel ? 0 : kernel.counters.rebuilds;
  }

  #publish(table: AppliedRoute[]): void {
    const said = new Map<string, string>();
    for (const { route, state, why, plane } of table) {
      said.set(route.id, state === "refused" ? why : `${plane} ${state}`);
      if (this.#said.get(route.id) === said.get(route.id)) continue;
      const fields = { caller: route.caller.name, port: route.port, target: route.target, why };
      if (state === "refused") this.#parts.log.warn("route refused", fields);
      else this.#parts.log.info(`route ${state}`, { ...fields, plane, backends: route.backends.length });
    }
    this.#said = said;
    this.#sayRefusing(table);
    this.#table.set(table);
  }
}

function withNotes(applied: AppliedRoute, asked: RoutesAsked): AppliedRoute {
  const notes = asked.notes.get(applied.route.id);
  if (applied.state !== "no_backends" || !notes) return applied;
  return { ...applied, why: `${applied.why} (${notes.slice(0, 3).join("; ")})` };
}
