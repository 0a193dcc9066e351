import { type Discovery, type DiscoveryEvent, type Instance, type InstanceFilter, usableStates } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";

export interface ServiceSetOptions {
  /** Only instances that pass. Default: all, in whatever state. */
  filter?: InstanceFilter;
}

/**
 * A service's instances as a live list in this process: what dialers, balancers and programs that restart on change read from.
 * Connections to the daemon that break are not seen here: the list stays as it was until there is news. Made by `openServiceSet`.
 */
export class ServiceSet {
  readonly service: string;
  readonly #instances = new Map<string, Instance>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #filter: InstanceFilter | undefined;
  #leader: { instance: Instance; fencingToken: number } | undefined;
  #sorted: readonly Instance[] | undefined;
  #isCurrent = false;
  #failure: unknown;

  constructor(discovery: Discovery, service: string, { filter }: ServiceSetOptions = {}) {
    this.service = service;
    this.#filter = filter;
    const events = discovery.watch(service, { signal: this.#stop.signal, ...(filter ? { filter } : {}) });
    void this.#follow(events);
  }

  /** By age, the oldest first. */
  get instances(): readonly Instance[] {
    this.#sorted ??= [...this.#instances.values()].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
    return this.#sorted;
  }

  /** Those of them that may be sent work: up, or with a warning. */
  get usable(): readonly Instance[] {
    return this.instances.filter(({ state = "up" }) => usableStates.includes(state));
  }

  get addrs(): readonly string[] {
    return this.instances.map(({ addr }) => addr);
  }

  /** The service's leader; in a filtered set the oldest that may be sent work. */
  get leader(): Instance | undefined {
    return this.#filter ? this.usable[0] : this.#leader?.instance;
  }

  /** Of the service's leader; undefined while nobody leads. */
  get fencingToken(): number | undefined {
    return this.#leader?.fencingToken;
  }

  /** Those whose meta has all these values. */
  select(meta: Readonly<Record<string, string>>): Instance[] {
    return this.instances.filter((each) => Object.entries(meta).every(([name, value]) => each.meta?.[name] === value));
  }

  /** Calls back after each change, from `whenReady` on; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Until `condition` holds (default: the initial state is there). Looks after each change.
   * @throws {DiscoveryError} not_found-like refusals of the daemon; the signal's reason
   */
  async until(condition: (set: ServiceSet) => boolean = () => true, signal?: AbortSignal): Promise<this> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isCurrent && condition(this)) return this;
      await new Promise<void>((resolve) => {
        const done = () => {
          off();
          signal?.removeEventListener("abort", done);
          resolve();
        };
        const off = this.onChange(done);
        signal?.addEventListener("abort", done, { once: true });
      });
    }
  }

  close(): void {
    this.#stop.abort();
    this.#failure ??= new DiscoveryError("service_unavailable", "discoverd: the set is closed");
    this.#tell();
    this.#listeners.clear();
  }

  async #follow(events: AsyncIterable<DiscoveryEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.#apply(event);
        if (this.#isCurrent) this.#tell();
      }
    } catch (error) {
      this.#failure = error;
      this.#tell();
    }
  }

  #apply({ kind, instance, fencingToken = 0 }: DiscoveryEvent): void {
    if (kind === "current") this.#isCurrent = true;
    else if (kind === "leader") this.#leader = instance && { instance, fencingToken };
    else if (instance) {
      this.#sorted = undefined;
      if (kind === "down") this.#instances.delete(instance.id);
      else this.#instances.set(instance.id, instance);
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/**
 * Opens a live list of a service's instances, and waits for its first state.
 *
 * @example
 * const web = await openServiceSet(discovery, "web", { filter: { zone: "a" } });
 * web.onChange(() => console.log(web.addrs));
 */
export async function openServiceSet(
  discovery: Discovery,
  service: string,
  options: ServiceSetOptions & { signal?: AbortSignal } = {},
): Promise<ServiceSet> {
  const set = new ServiceSet(discovery, service, options);
  try {
    return await set.until(undefined, options.signal);
  } catch (error) {
    set.close();
    throw error;
  }
}
