import { hostname as ownHostname } from "node:os";
import type { Container, ContainersState } from "../../lib/docker/containers.ts";
import type { ContainerWatcher } from "../../lib/docker/createContainerWatcher.ts";
import { EventBroadcast } from "./eventBroadcast.ts";
import { type BookedContainer, ContainerBook, type DeregisterPolicy } from "./reconcile/containerBook.ts";
import type { Step } from "./reconcile/planOf.ts";
import { type EntryState, Reconciler, type ReconcilerOptions, type RegistryStatus } from "./reconcile/reconciler.ts";
import type { Entry, Origin, Registry } from "./registries/registry.ts";
import type { IgnoredPort, Service, ServicesOptions } from "./services/service.ts";
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
  /** The owner stamp. Default: the engine's id. */
  owner?: string;
}

export interface StartRegistratorOptions {
  containers: ContainerWatcher;
  registries: readonly Registry[];
  options?: RegistratorOptions;
  log: RegistratorLog;
  /** Times of the reconcilers, for tests. */
  reconciler?: Partial<Pick<ReconcilerOptions, "concurrency" | "callTimeoutMs" | "retryFirstMs" | "retryCapMs">>;
}

export interface RegistratorEvent {
  kind: "registered" | "deregistered" | "refused" | "failed";
  /** ms since the epoch. */
  at: number;
  registry: string;
  /** The container's full id, and its name as far as it is known. */
  containerId: string;
  container: string;
  service: string;
  address: string;
  reason?: string;
  /** "registered web-1 as web at 172.17.0.2:80" */
  text: string;
}

export type ServiceStatus = { registry: string; id: string; service: string; address: string } & EntryState;

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

export interface Registrator {
  status(): RegistratorStatus;
  /** From now on; a consumer that is slower than 4,096 events loses the oldest. */
  events(signal: AbortSignal): AsyncIterable<RegistratorEvent>;
  /** Resolves when every registry is as Docker is, or after `ms`: whether it is. */
  settled(ms: number): Promise<boolean>;
  /** "deregister" takes out what is ours, for at most 10 s; "keep" leaves it. */
  close(policy?: "keep" | "deregister"): Promise<void>;
}

interface Page {
  booked: BookedContainer;
  /** By registry, in their order. */
  entries: { service: Service; entry: Entry | undefined; refused: string | undefined }[][];
}

/**
 * Keeps registries equal to what a Docker engine's containers offer, until it is closed. Only entries with our owner stamp are ever
 * changed; one container's mistakes are its own.
 *
 * @example
 * const registrator = await startRegistrator({ containers: watcher, registries: [discoveryRegistry({ discovery, held: true })], options: { internal: true }, log });
 */
export function startRegistrator(start: StartRegistratorOptions): Registrator {
  const { containers, registries, log, options = {} } = start;
  const { tags = "", deregister = "always", owner: ownerOption, resyncMs = 180_000, ...services } = options;
  const stopping = new AbortController();
  const broadcast = new EventBroadcast<RegistratorEvent>();
  let state: ContainersState | undefined;
  let pages: Page[] = [];
  let owner = ownerOption ?? "";
  let closing = false;
  /** What each registry is asked to hold, by key. */
  let claims: Map<string, Entry>[] = [];
  /** Refusals already told, so that a container that is read again does not repeat them. */
  const told = new Set<string>();

  const reconcilers = registries.map(
    (registry) =>
      new Reconciler({
        ...start.reconciler,
        registry,
        resyncMs,
        onStep: (step, error) => stepped(registry, step, error),
      }),
  );
  const book = new ContainerBook({
    services: { hostname: ownHostname(), ...services },
    deregister,
    tags: (container) => (tags.includes("{{") ? renderTags(tags, container) : tags),
    onReady: () => apply(),
  });

  /** From the newest state to what each registry shall hold. */
  function apply(): void {
    if (closing || !state?.connected || !state.engine) return;
    const now = ownerOption ?? state.engine.id;
    const { booked, keep } = book.book(state);
    const known = new Map(now === owner ? pages.map((page) => [page.booked, page]) : []);
    owner = now;
    pages = booked.map((each) => known.get(each) ?? turn(each));
    claims = registries.map((_, i) => claimsOf(pages, i));
    for (const [i, reconciler] of reconcilers.entries()) {
      reconciler.want({ owner, entries: claims[i] ?? new Map(), keep });
    }
  }

  function turn(booked: BookedContainer): Page {
    const { container } = booked;
    const origin: Origin = { owner, containerId: container.id, containerName: container.name };
    const entries = registries.map((registry) =>
      (booked.services ?? []).map((service) => {
        try {
          return { service, entry: registry.entryOf(service, origin), refused: undefined };
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          refuse(registry, container, service, reason);
          return { service, entry: undefined, refused: reason };
        }
      }),
    );
    if (booked.refused)
      log.warn(`${container.name} is not registered`, { container: container.id.slice(0, 12), reason: booked.refused });
    return { booked, entries };
  }

  function refuse(registry: Registry, container: Container, service: Service, reason: string): void {
    const text = `refused ${container.name} as ${service.name}: ${reason}`;
    if (told.size > 4096) told.clear();
    const once = `${registry.name} ${container.id} ${text}`;
    if (told.has(once)) return;
    told.add(once);
    log.warn(text, { registry: registry.name, container: container.id.slice(0, 12) });
    const address = `${service.ip}:${service.port}`;
    const event = {
      registry: registry.name,
      containerId: container.id,
      container: container.name,
      service: service.name,
      address,
      reason,
      text,
    };
    broadcast.send({ kind: "refused", at: Date.now(), ...event });
  }

  function stepped(registry: Registry, { kind, entry }: Step, error?: unknown): void {
    const container = entry.containerName || entry.containerId.slice(0, 12);
    const what = `${container} as ${entry.service} at ${entry.address}`;
    const place = {
      registry: registry.name,
      containerId: entry.containerId,
      container,
      service: entry.service,
      address: entry.address,
    };
    const fields = { registry: registry.name, container: entry.containerId.slice(0, 12) };
    if (error === undefined) {
      const done = kind === "register" ? "registered" : "deregistered";
      const text = kind === "register" ? `registered ${what}` : `deregistered ${what}`;
      log.info(text, fields);
      broadcast.send({ kind: done, at: Date.now(), ...place, text });
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    const text = `${kind} ${what} failed, trying again: ${reason}`;
    log.warn(text, fields);
    broadcast.send({ kind: "failed", at: Date.now(), ...place, reason, text });
  }

  function stateOf(entry: Entry, i: number): EntryState {
    const winner = claims[i]?.get(entry.key);
    if (winner && winner !== entry) {
      return {
        state: "refused",
        reason: `${entry.service} at ${entry.address} is already registered for container ${winner.containerName}`,
      };
    }
    return reconcilers[i]?.stateOf(entry) ?? { state: "pending" };
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
    book.retryTemplates();
    apply();
  }, resyncMs);
  const running = Promise.all([follow(), ...reconcilers.map((reconciler) => reconciler.run(stopping.signal))]);

  return {
    status: () => ({
      connected: state?.connected ?? false,
      ...(state?.connected ? {} : { reason: state?.reason ?? "Docker was not reached yet" }),
      owner,
      containers: pages.map((page) => statusOf(page, registries, stateOf)),
      unreadable: Object.fromEntries(state?.unreadable ?? []),
      registries: reconcilers.map((reconciler) => reconciler.status()),
    }),
    events: (signal) => broadcast.events(signal),
    async settled(ms) {
      const newest = containers.current();
      if (newest && newest.version !== state?.version) {
        state = newest;
        apply();
      }
      return (await Promise.all(reconcilers.map((reconciler) => reconciler.settled(ms)))).every(Boolean);
    },
    async close(policy = "keep") {
      closing = true;
      clearInterval(retry);
      if (policy === "deregister" && owner !== "") {
        for (const reconciler of reconcilers) reconciler.want({ owner, entries: new Map(), keep: new Set() });
        const done = await Promise.all(reconcilers.map((reconciler) => reconciler.settled(10_000)));
        registries.forEach((registry, i) => {
          if (!done[i]) log.warn("some services could not be deregistered", { registry: registry.name });
        });
      }
      stopping.abort();
      await running;
      broadcast.end();
    },
  };
}

/** The oldest container keeps an address that two claim. */
function claimsOf(pages: readonly Page[], registry: number): Map<string, Entry> {
  const claims = new Map<string, Entry>();
  for (const page of pages) {
    for (const { entry } of page.entries[registry] ?? []) {
      if (entry && !claims.has(entry.key)) claims.set(entry.key, entry);
    }
  }
  return claims;
}

function statusOf(
  { booked, entries }: Page,
  registries: readonly Registry[],
  stateOf: (entry: Entry, registry: number) => EntryState,
): ContainerStatus {
  const services = entries.flatMap((ofRegistry, i) =>
    ofRegistry.map(({ service, entry, refused }): ServiceStatus => {
      const place = {
        registry: registries[i]?.name ?? "",
        id: service.id,
        service: entry?.service ?? service.name,
        address: entry?.address ?? `${service.ip}:${service.port}`,
      };
      if (!entry) return { ...place, state: "refused", reason: refused ?? "" };
      return { ...place, ...stateOf(entry, i) };
    }),
  );
  const ignored = booked.refused ? [...booked.ignored, { port: "", why: booked.refused }] : booked.ignored;
  return { id: booked.container.id, name: booked.container.name, services, ignored };
}
