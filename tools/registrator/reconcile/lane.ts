import { backoff } from "../../../lib/docker/backoff.ts";
import type { Container, ContainersState } from "../../../lib/docker/containers.ts";
import { pause } from "../../../lib/time/pause.ts";
import type { Entry, Origin, Registry } from "../registries/registry.ts";
import type { Service } from "../services/service.ts";
import { isAside } from "../services/serviceHealth.ts";
import { type BookedContainer, ContainerBook, type ContainerBookOptions } from "./containerBook.ts";
import { Lag } from "./lag.ts";
import type { Desired, Plan, Step } from "./planOf.ts";
import { Reconciler } from "./reconciler.ts";
import type { EntryState, ReconcilerOptions, RegistryStatus } from "./reconcilerStatus.ts";
import { within } from "./within.ts";

export interface LaneOptions {
  registry: Registry;
  book: Omit<ContainerBookOptions, "onReady">;
  /** As `Desired` takes it. */
  adopts?: (entry: Entry) => boolean;
  /** Entries whose containers did not live since our start are told of, and stay. */
  dryRun?: boolean;
  reconciler: Omit<ReconcilerOptions, "registry" | "onStep" | "onSpared" | "onIdle" | "onRead">;
  /** `lagMs`: since Docker's event behind it; undefined: a list led to it. */
  onStep: (step: Step, error?: unknown, lagMs?: number) => void;
  onSpared: (entry: Entry) => void;
  /** Told once when the registry cannot be read, with the reason, and once when it can again. */
  onReach: (away: string | undefined) => void;
  onRefused: (container: Container, service: Service, reason: string) => void;
  /** It is registered, but not all that it asks for can be had. */
  onWarned: (container: Container, service: Service, warning: string) => void;
  onBroken: (container: Container, reason: string) => void;
}

/** Containers remembered as having lived, for a dry run. */
const maxAlive = 100_000;

/** One container in one registry. */
export interface Page {
  booked: BookedContainer;
  entries: { service: Service; entry: Entry | undefined; refused: string | undefined }[];
}

export type LanePlan = Plan & { failureOf: (key: string) => string | undefined };

/** From containers to one registry, with the options of that registry. */
export class Lane {
  readonly registry: Registry;
  readonly #options: LaneOptions;
  readonly #book: ContainerBook;
  readonly #reconciler: Reconciler;
  #pages: Page[] = [];
  #turned = new WeakMap<BookedContainer, Page>();
  #claims: ReadonlyMap<string, Entry> = new Map();
  #state: ContainersState | undefined;
  #owner = "";
  #isReady: boolean;
  #isClosing = false;
  #isAway = false;
  #notReady: { text: string; at: number } | undefined;
  readonly #alive = new Set<string>();
  readonly #lag = new Lag();

  constructor(options: LaneOptions) {
    const { registry, onSpared } = options;
    const onStep = (step: Step, error?: unknown) =>
      options.onStep(step, error, error === undefined ? this.#lag.take(step) : undefined);
    const onIdle = () => this.#lag.clear();
    const onRead = (failure: string | undefined) => this.#reach(failure);
    this.registry = registry;
    this.#options = options;
    this.#isReady = registry.ready === undefined;
    this.#book = new ContainerBook({ ...options.book, onReady: () => this.#apply() });
    this.#reconciler = new Reconciler({ ...options.reconciler, registry, onStep, onSpared, onIdle, onRead });
  }

  get pages(): readonly Page[] {
    return this.#pages;
  }

  /** Takes a state that is connected. */
  apply(state: ContainersState, owner: string): void {
    if (owner !== this.#owner) {
      this.#pages = [];
      this.#turned = new WeakMap();
      this.#claims = new Map();
    }
    this.#state = state;
    this.#owner = owner;
    this.#lag.saw(state);
    this.#apply();
  }

  /** A container has started: the next state has it, and need not be waited for. */
  begin(container: Container): void {
    if (this.#isClosing || !this.#isReady || !this.#state) return;
    const booked = this.#book.started(container);
    const page = booked && this.#pageOf(booked);
    if (page && this.#options.dryRun) this.#alive.add(container.id);
    for (const { entry } of page?.entries ?? [])
      if (entry && !this.#claims.has(entry.key)) this.#reconciler.begin(entry);
  }

  retryTemplates(): void {
    this.#book.retryTemplates();
    this.#apply();
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#untilReady(signal);
    if (!signal.aborted) await this.#reconciler.run(signal);
  }

  stateOf(entry: Entry): EntryState {
    const winner = this.#claims.get(entry.key);
    if (winner && winner !== entry) {
      return {
        state: "refused",
        reason: `${entry.service} at ${entry.address} is already registered for container ${winner.containerName}`,
      };
    }
    return this.#reconciler.stateOf(entry);
  }

  status(): RegistryStatus {
    const status = this.#reconciler.status();
    return this.#notReady ? { ...status, lastError: this.#notReady.text, lastErrorAt: this.#notReady.at } : status;
  }

  /** What is left to be written, and why it was not yet; undefined: the registry was not read yet. */
  plan(): LanePlan | undefined {
    const plan = this.#reconciler.plan();
    if (!plan) return undefined;
    return { ...plan, failureOf: (key) => this.#reconciler.failureOf(key) };
  }

  settled(ms: number): Promise<boolean> {
    return this.#reconciler.settled(ms);
  }

  /** Takes out what is ours, or puts it into maintenance; at most `ms`. False: not all of it. */
  async leave(policy: "deregister" | "maintenance", ms: number): Promise<boolean> {
    this.#isClosing = true;
    if (!this.#state || !this.#isReady) return this.#pages.length === 0;
    if (policy === "maintenance" && this.registry.maintain) return this.#reconciler.maintain(ms);
    this.#reconciler.want({ owner: this.#owner, entries: new Map(), keep: new Set() });
    return this.#reconciler.settled(ms);
  }

  /** No more changes from here on. */
  stop(): void {
    this.#isClosing = true;
  }

  #apply(): void {
    const state = this.#state;
    if (this.#isClosing || !this.#isReady || !state) return;
    const { booked, keep, upcoming } = this.#book.book(state);
    if (this.#options.dryRun) {
      for (const { container } of booked) this.#alive.add(container.id);
      while (this.#alive.size > maxAlive) this.#alive.delete(this.#alive.values().next().value ?? "");
    }
    const before = this.#pages;
    this.#pages = booked.map((each) => this.#pageOf(each));
    // Of containers that are being started: all is ready when they are.
    for (const each of upcoming) this.#pageOf(each);
    // A start adds a page, and leaves the others as they are.
    const isLonger = before.every((page, i) => page === this.#pages[i]);
    this.#claims = isLonger ? claimsOf(this.#pages.slice(before.length), this.#claims) : claimsOf(this.#pages);
    const { adopts, dryRun } = this.#options;
    const desired: Desired = { owner: this.#owner, entries: this.#claims, keep };
    if (adopts) desired.adopts = adopts;
    if (dryRun) desired.spares = (entry) => !this.#alive.has(entry.containerId);
    this.#reconciler.want(desired);
  }

  #pageOf(booked: BookedContainer): Page {
    const known = this.#turned.get(booked);
    if (known) return known;
    const page = this.#turn(booked);
    this.#turned.set(booked, page);
    return page;
  }

  #turn(booked: BookedContainer): Page {
    const { container } = booked;
    const origin = originOf(this.#owner, container);
    if (booked.refused) this.#options.onBroken(container, booked.refused);
    const entries = (booked.services ?? []).map((service) => {
      if (isAside(service.health) && !this.registry.showsHealth) {
        return { service, entry: undefined, refused: service.health?.output };
      }
      try {
        const entry = this.registry.entryOf(service, origin);
        const { health } = service;
        if (health && health.state !== "passing" && this.registry.showsHealth) entry.health = health.state;
        for (const warning of entry.warnings ?? []) this.#options.onWarned(container, service, warning);
        return { service, entry, refused: undefined };
      } catch (error) {
        const refused = error instanceof Error ? error.message : String(error);
        this.#options.onRefused(container, service, refused);
        return { service, entry: undefined, refused };
      }
    });
    return { booked, entries };
  }

  #reach(away: string | undefined): void {
    const isAway = away !== undefined;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#options.onReach(away);
  }

  async #untilReady(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !this.#isReady && !signal.aborted; attempt++) {
      try {
        await within(5000, signal, async (inner) => this.registry.ready?.(inner));
        this.#isReady = true;
        this.#notReady = undefined;
        this.#apply();
      } catch (error) {
        if (signal.aborted) return;
        this.#notReady = { text: error instanceof Error ? error.message : String(error), at: Date.now() };
        this.#reach(this.#notReady.text);
        await pause(backoff(attempt, { firstMs: 100, capMs: 1000 }), signal);
      }
    }
  }
}

/** Whose a container's services are. */
export function originOf(owner: string, { id, name, hostname }: Container): Origin {
  return { owner, containerId: id, containerName: name, containerHostname: hostname };
}

/** The oldest container keeps what two claim; `older` are claims that go before those of the pages. */
function claimsOf(pages: readonly Page[], older?: ReadonlyMap<string, Entry>): Map<string, Entry> {
  const claims = new Map(older);
  for (const { entries } of pages) {
    for (const { entry } of entries) if (entry && !claims.has(entry.key)) claims.set(entry.key, entry);
  }
  return claims;
}
