import type { Container, ContainersState } from "../../../lib/docker/containers.ts";
import type { InspectedContainer, Lookup } from "../services/ports.ts";
import type { IgnoredPort, Service, ServicesOptions } from "../services/service.ts";
import { servicesOf } from "../services/servicesOf.ts";

/** When a container's end takes its services out: always, or only when it ended well or was killed (`-deregister`). */
export type DeregisterPolicy = "always" | "on-success";

export interface BookedContainer {
  container: Container;
  /** undefined while its tag template still runs. */
  services: readonly Service[] | undefined;
  ignored: readonly IgnoredPort[];
  /** Why none of its services can be told. */
  refused?: string;
}

export interface ContainerBookOptions {
  services: Omit<ServicesOptions, "forceTags">;
  deregister: DeregisterPolicy;
  /** The tags of one container; a string is known at once. May throw or reject: that refuses this container alone. */
  tags: (container: Container) => string | Promise<string>;
  /** A template came to its end: `book` again. */
  onReady: () => void;
}

interface Page extends BookedContainer {
  /** Depends on another container (`container:` mode): read again each time. */
  shared: boolean;
}

/** What each container offers, remembered for as long as its entry in the state stays the same. */
export class ContainerBook {
  readonly #options: ContainerBookOptions;
  #pages = new Map<string, Page>();
  #upcoming = new Map<string, Page>();
  readonly #tags = new WeakMap<Container, string | Error>();
  readonly #running = new WeakSet<Container>();

  constructor(options: ContainerBookOptions) {
    this.#options = options;
  }

  /**
   * The live containers with their services, oldest first; those whose entries stay as they are; and those that are being started,
   * each with what it is booked as from its start on.
   */
  book(state: ContainersState): { booked: BookedContainer[]; keep: Set<string>; upcoming: BookedContainer[] } {
    const keep = new Set(state.unreadable.keys());
    const pages = new Map<string, Page>();
    const lookup = lookupOf(state);
    for (const [id, container] of state.containers) {
      // What was booked was live.
      const known = this.#known(id, container);
      if (!known && !isLive(container)) {
        if (this.#options.deregister === "on-success" && failed(container)) keep.add(id);
        continue;
      }
      const page = known ?? this.#read(container, lookup);
      if (!page.services) keep.add(id);
      pages.set(id, page);
    }
    const upcoming = new Map<string, Page>();
    for (const [id, container] of state.upcoming ?? []) {
      upcoming.set(id, this.#known(id, container) ?? this.#read(container, lookup));
    }
    this.#pages = pages;
    this.#upcoming = upcoming;
    return { booked: sorted([...pages.values()]), keep, upcoming: [...upcoming.values()] };
  }

  /** As what a container that has just started will be booked; undefined: that hangs on others, or is not known yet. */
  started(container: Container): BookedContainer | undefined {
    const known = currentPage(this.#upcoming.get(container.id), container);
    if (known || !isLive(container) || isShared(container)) return known;
    const page = this.#read(container, () => undefined);
    if (!page.services) return undefined;
    this.#upcoming.set(container.id, page);
    return page;
  }

  /** Its page, while nothing in it can have changed. */
  #known(id: string, container: Container): Page | undefined {
    return currentPage(this.#pages.get(id), container) ?? currentPage(this.#upcoming.get(id), container);
  }

  /** Forgets templates that failed, so that they are tried again. */
  retryTemplates(): void {
    for (const page of this.#pages.values()) {
      if (this.#tags.get(page.container) instanceof Error) {
        this.#tags.delete(page.container);
        page.services = undefined;
      }
    }
  }

  #read(container: Container, lookup: Lookup): Page {
    const shared = isShared(container);
    const tags = this.#tagsOf(container);
    if (tags === undefined) return { container, shared, services: undefined, ignored: [] };
    if (tags instanceof Error)
      return { container, shared, services: [], ignored: [], refused: `tags: ${tags.message}` };
    return { container, shared, ...servicesOf(container, { ...this.#options.services, forceTags: tags }, lookup) };
  }

  /** undefined: still running. */
  #tagsOf(container: Container): string | Error | undefined {
    const known = this.#tags.get(container);
    if (known !== undefined) return known;
    if (this.#running.has(container)) return undefined;
    let tags: string | Promise<string>;
    try {
      tags = this.#options.tags(container);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
    if (typeof tags === "string") {
      this.#tags.set(container, tags);
      return tags;
    }
    this.#running.add(container);
    void tags
      .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
      .then((result) => {
        this.#running.delete(container);
        this.#tags.set(container, result);
        this.#options.onReady();
      });
    return undefined;
  }
}

function currentPage(page: Page | undefined, container: Container): Page | undefined {
  return page?.container === container && !page.shared && page.services ? page : undefined;
}

/** It has the network of another. */
function isShared({ networkMode }: Container): boolean {
  return networkMode.startsWith("container:");
}

/** Running or paused; one that is being restarted by its policy has no process and no address now. */
function isLive({ state }: Container): boolean {
  return state.status === "running" || state.status === "paused";
}

/** As the original: an exit code other than 0, and not by a signal (bit 128). */
function failed({ state }: Container): boolean {
  return (state.status === "exited" || state.status === "dead") && state.exitCode !== 0 && (state.exitCode & 128) === 0;
}

function lookupOf(state: ContainersState): Lookup {
  return (idOrName): InspectedContainer | undefined => {
    const exact = state.containers.get(idOrName);
    if (exact) return isLive(exact) ? exact : undefined;
    for (const container of state.containers.values()) {
      if (container.name === idOrName && isLive(container)) return container;
    }
    return undefined;
  };
}

/** Mostly they are already. */
function sorted(pages: Page[]): Page[] {
  for (let i = 1; i < pages.length; i++) {
    if (byAge(pages[i - 1] as Page, pages[i] as Page) > 0) return pages.sort(byAge);
  }
  return pages;
}

function byAge(a: Page, b: Page): number {
  const { startedAt: left, id } = a.container;
  const { startedAt: right, id: other } = b.container;
  return left < right ? -1 : left > right ? 1 : id < other ? -1 : 1;
}
