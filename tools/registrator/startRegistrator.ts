import { hostname as ownHostname } from "node:os";
import type { Container, ContainersState } from "../../lib/docker/containers.ts";
import type { ContainerWatcher } from "../../lib/docker/createContainerWatcher.ts";
import { EventBroadcast } from "./eventBroadcast.ts";
import { containersOf, explainIn, planOfLane } from "./lanesTell.ts";
import type { DeregisterPolicy } from "./reconcile/containerBook.ts";
import { Lane } from "./reconcile/lane.ts";
import { leftByOriginal } from "./reconcile/leftByOriginal.ts";
import { ownerOf } from "./reconcile/owner.ts";
import type { Step } from "./reconcile/planOf.ts";
import type { EntryState, ReconcilerOptions, RegistryStatus } from "./reconcile/reconcilerStatus.ts";
import type { Registry } from "./registries/registry.ts";
import type { IgnoredPort, Service, ServicesOptions } from "./services/service.ts";
import { teller } from "./teller.ts";
import { renderTags } from "./template/renderTags.ts";

/** As much of a logger as registrator uses. */
export interface RegistratorLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface RegistratorOptions extends Partial<Omit<ServicesOptions, "forceTags">> {
  /** `-tags`: comma-separated, or a Go template over the container. Default "". */
  tags?: string;
  /** `-deregister`. Default "always". */
  deregister?: DeregisterPolicy;
  /** The registries are read anew this often, in ms. Default 180,000. */
  resyncMs?: number;
  /** The owner stamp, for all registries. Default: `ENGINE@HOST`, the engine's id and its host's name. */
  owner?: string;
  /**
   * `-cleanup`. "ours" (the default): what carries our stamp goes with its container. "adopt": also what the original left under this
   * host's name. "dry-run": as "adopt", but what was there without its container when we started is only told of.
   */
  cleanup?: "ours" | "adopt" | "dry-run";
}

/** One of several registries; what it says of itself goes before the options of all. */
export interface RegistryWithOptions {
  registry: Registry;
  options?: Omit<RegistratorOptions, "owner">;
}

/** What becomes of our entries at our end. "maintenance" deregisters where a registry has no maintenance. */
export type ExitPolicy = "keep" | "deregister" | "maintenance";

export interface StartRegistratorOptions {
  containers: ContainerWatcher;
  registries: readonly (Registry | RegistryWithOptions)[];
  options?: RegistratorOptions;
  log: RegistratorLog;
  /** Times of the reconcilers, for tests. */
  reconciler?: Partial<
    Pick<ReconcilerOptions, "concurrency" | "callTimeoutMs" | "retryFirstMs" | "retryCapMs" | "pingMs">
  >;
}

export interface RegistratorEvent {
  kind: "registered" | "deregistered" | "refused" | "failed" | "dangling";
  /** ms since the epoch. */
  at: number;
  registry: string;
  /** The container's full id, and its name as far as it is known. */
  containerId: string;
  container: string;
  service: string;
  address: string;
  reason?: string;
  /** How the service is shown in the registry, where that is not as well: "warning", "maintenance". */
  health?: string;
  /** From Docker's event to the write that it led to, in ms; absent: no event did. */
  lagMs?: number;
  /** "registered web-1 as web at 172.17.0.2:80" */
  text: string;
}

export type ServiceStatus = {
  registry: string;
  id: string;
  service: string;
  address: string;
  /** As in `RegistratorEvent`. */
  health?: string;
} & EntryState;

export interface ContainerStatus {
  id: string;
  name: string;
  services: ServiceStatus[];
  ignored: readonly IgnoredPort[];
}

export interface RegistratorStatus {
  /** Whether Docker is reached now; what is registered stays when it is not. */
  connected: boolean;
  reason?: string;
  owner: string;
  containers: ContainerStatus[];
  /** Containers that could not be read, and why. */
  unreadable: Record<string, string>;
  registries: RegistryStatus[];
}

/** What one registry has yet to be told. */
export interface RegistryPlan {
  registry: string;
  /** Whether the registry was read; its difference is not known before. */
  synced: boolean;
  steps: PlannedChange[];
}

export interface PlannedChange {
  /** "refused": its place is another's; "dangling": a dry run leaves it. */
  action: Step["kind"] | "refused" | "dangling";
  id: string;
  service: string;
  address: string;
  containerId: string;
  container: string;
  /** Why it was not done. */
  reason?: string;
}

/** What one registry is told of a container. */
export interface Explained {
  registry: string;
  services: { service: Service; status: EntryState }[];
  ignored: readonly IgnoredPort[];
}

export interface Registrator {
  status(): RegistratorStatus;
  /** A container has started (`onStarted` of the watcher): its services are written now, and not first when the next state has it. */
  begin(container: Container): void;
  /** What is left to be written; writes nothing, and asks nobody. */
  plan(): RegistryPlan[];
  /** By full id, the beginning of one, or name, for each registry; undefined: no such container runs. */
  explain(idOrName: string): { id: string; name: string; registries: Explained[] } | undefined;
  /** From now on; a consumer that is slower than 4,096 events loses the oldest. */
  events(signal: AbortSignal): AsyncIterable<RegistratorEvent>;
  /** Resolves when every registry is as Docker is, or after `ms`: whether it is. */
  settled(ms: number): Promise<boolean>;
  /** "deregister" takes out what is ours, for at most 10 s, "maintenance" hides it; "keep" leaves it. */
  close(policy?: ExitPolicy): Promise<void>;
}

/**
 * Keeps registries equal to what a Docker engine's containers offer, until it is closed. Only entries with our owner stamp are ever
 * changed; one container's mistakes are its own.
 *
 * @example
 * const registrator = await startRegistrator({ containers: watcher, registries: [discoveryRegistry({ discovery, held: true })], options: { internal: true }, log });
 */
export function startRegistrator(start: StartRegistratorOptions): Registrator {
  const { containers, log, options = {} } = start;
  const { owner: ownerOption, resyncMs = 180_000 } = options;
  const stopping = new AbortController();
  const broadcast = new EventBroadcast<RegistratorEvent>();
  const tell = teller(log, (event) => broadcast.send(event));
  let state: ContainersState | undefined;
  let owner = ownerOption ?? "";
  let closing = false;

  const lanes = start.registries.map((each) => {
    const { registry, options: own = {} } = "registry" in each ? each : { registry: each };
    const { tags = "", deregister = "always", cleanup = "ours", ...rest } = { ...options, ...own };
    const { owner: _owner, resyncMs: laneResyncMs = resyncMs, ...services } = rest;
    const hostname = services.hostname ?? ownHostname();
    return new Lane({
      registry,
      book: {
        services: { ...services, hostname },
        deregister,
        tags: (container) => (tags.includes("{{") ? renderTags(tags, container) : tags),
      },
      ...(cleanup === "ours" ? {} : { adopts: leftByOriginal(hostname) }),
      dryRun: cleanup === "dry-run",
      reconciler: { ...start.reconciler, resyncMs: laneResyncMs },
      onStep: (step, error, lagMs) => tell.step(registry, step, error, lagMs),
      onSpared: (entry) => tell.spared(registry, entry),
      onReach: (away) => tell.reach(registry, away),
      onRefused: (container, service, reason) => tell.refused(registry, container, service, reason),
      onWarned: (container, service, warning) => tell.warned(registry, container, service, warning),
      onBroken: (container, reason) => tell.broken(registry, container, reason),
    });
  });

  /** From the newest state to what each registry shall hold. */
  function apply(): void {
    if (closing || !state?.connected || !state.engine) return;
    owner = ownerOption ?? ownerOf(state.engine);
    for (const lane of lanes) lane.apply(state, owner);
  }

  async function follow(): Promise<void> {
    try {
      for await (const next of containers.states(stopping.signal)) {
        state = next;
        apply();
      }
    } catch (error) {
      if (!stopping.signal.aborted) log.warn("the containers are no longer watched", { reason: String(error) });
    }
  }

  const retry = setInterval(() => {
    for (const lane of lanes) lane.retryTemplates();
  }, resyncMs);
  const running = Promise.all([follow(), ...lanes.map((lane) => lane.run(stopping.signal))]);

  return {
    status: () => ({
      connected: state?.connected ?? false,
      ...(state?.connected ? {} : { reason: state?.reason ?? "Docker was not reached yet" }),
      owner,
      containers: containersOf(lanes),
      unreadable: Object.fromEntries(state?.unreadable ?? []),
      registries: lanes.map((lane) => lane.status()),
    }),
    begin(container) {
      // Until the engine is back nobody would take it out again; and it may be another by then.
      if (!state?.connected) return;
      for (const lane of lanes) lane.begin(container);
    },
    plan: () => lanes.map(planOfLane),
    explain: (idOrName) => explainIn(lanes, idOrName),
    events: (signal) => broadcast.events(signal),
    async settled(ms) {
      const newest = containers.current();
      if (newest && newest.version !== state?.version) {
        state = newest;
        apply();
      }
      return (await Promise.all(lanes.map((lane) => lane.settled(ms)))).every(Boolean);
    },
    async close(policy = "keep") {
      closing = true;
      clearInterval(retry);
      for (const lane of lanes) lane.stop();
      if (policy !== "keep" && owner !== "") {
        const done = await Promise.all(lanes.map((lane) => lane.leave(policy, 10_000)));
        lanes.forEach(({ registry }, i) => {
          if (!done[i]) log.warn("some services could not be taken out", { registry: registry.name, policy });
        });
      }
      stopping.abort();
      await running;
      broadcast.end();
    },
  };
}
