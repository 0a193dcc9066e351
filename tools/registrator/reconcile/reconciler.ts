import { backoff } from "../../../lib/docker/backoff.ts";
import type { Change, Entry } from "../registries/registry.ts";
import { Failures, reasonOf } from "./failures.ts";
import { followChanges } from "./followChanges.ts";
import { Heartbeats } from "./heartbeats.ts";
import { listed } from "./listed.ts";
import { maintainAll } from "./maintainAll.ts";
import { type Desired, type Plan, planOf, type Step } from "./planOf.ts";
import type { EntryState, ReconcilerOptions, RegistryStatus } from "./reconcilerStatus.ts";
import { WakeUp } from "./wakeUp.ts";
import { within } from "./within.ts";

type Told = "onStep" | "onSpared" | "onIdle" | "onRead";

/**
 * Keeps one registry equal to what is desired. One path for everything: list, compare, write the differences. It lists at the start,
 * when the registry says that it was reset, after a failed write, and every few minutes.
 */
export class Reconciler {
  readonly #options: Required<Omit<ReconcilerOptions, Told>> & Pick<ReconcilerOptions, Told>;
  readonly #wake = new WakeUp();
  #desired: Desired | undefined;
  /** While it runs. */
  #signal: AbortSignal | undefined;
  /** What the registry holds, as far as we know; undefined until it was listed. */
  #actual: Map<string, Entry> | undefined;
  /** What was found to be written and is not done yet, by key; undefined: to be found again. */
  #open: Map<string, Step> | undefined;
  #refused: ReadonlyMap<string, string> = new Map();
  /** Entries already told of. */
  #spared: ReadonlySet<string> = new Set();
  readonly #failures: Failures;
  readonly #inFlight = new Set<string>();
  /** Ends writes that began before the registry was lost: they hang on connections that are no more. */
  #round = new AbortController();
  /** Keys written while a list was under way: the list may be older than they are. */
  #touched: Set<string> | undefined;
  #listAt = 0;
  #listAttempts = 0;
  readonly #heartbeats: Heartbeats;
  #lastError: { text: string; at: number } | undefined;
  readonly #counts = { writes: 0, failures: 0, retries: 0 };
  #waiters: (() => void)[] = [];

  constructor(options: ReconcilerOptions) {
    this.#options = {
      resyncMs: 180_000,
      concurrency: 16,
      callTimeoutMs: 10_000,
      retryFirstMs: 200,
      retryCapMs: 30_000,
      pingMs: 700,
      ...options,
    };
    this.#heartbeats = new Heartbeats(options.registry);
    this.#failures = new Failures(this.#options.retryFirstMs, this.#options.retryCapMs);
  }

  want(desired: Desired): void {
    this.#desired = desired;
    this.#open = undefined;
    this.#wake.call();
  }

  /** One more entry is wanted, whose place is free as far as we know: it is written before all is compared. What is wanted next has the last word. */
  begin(entry: Entry): void {
    const [desired, actual, signal] = [this.#desired, this.#actual, this.#signal];
    const { key } = entry;
    if (!desired || !actual || !signal || signal.aborted || this.#listAttempts > 0) return;
    if (desired.entries.has(key) || actual.has(key) || this.#inFlight.has(key) || this.#failures.of(key)) return;
    if (this.#inFlight.size >= this.#options.concurrency) return;
    // First of all: it is on its way while the rest is made ready.
    void this.#step({ kind: "register", entry }, signal);
    if (this.#desired !== desired) return;
    this.#desired = { ...desired, entries: new Map(desired.entries).set(key, entry) };
    this.#open = undefined;
  }

  /** Reads the registry again now. */
  resync(): void {
    this.#listAt = 0;
    this.#wake.call();
  }

  stateOf(entry: Entry): EntryState {
    const refused = this.#refused.get(entry.key);
    if (refused !== undefined) return { state: "refused", reason: refused };
    const failure = this.#failures.of(entry.key);
    if (failure) return { state: failure.final ? "refused" : "failing", reason: failure.reason };
    return { state: this.#actual?.get(entry.key)?.fingerprint === entry.fingerprint ? "registered" : "pending" };
  }

  status(): RegistryStatus {
    let registered = 0;
    for (const entry of this.#actual?.values() ?? []) if (entry.owner === this.#desired?.owner) registered++;
    return {
      name: this.#options.registry.name,
      synced: this.#actual !== undefined,
      registered,
      failing: this.#failures.size,
      ...this.#counts,
      ...(this.#lastError ? { lastError: this.#lastError.text, lastErrorAt: this.#lastError.at } : {}),
    };
  }

  /** What is left to be written, as far as the registry is known; undefined: it was not read yet. */
  plan(): Plan | undefined {
    return this.#desired && this.#actual && planOf(this.#desired, this.#actual);
  }

  /** Why the last try to write this entry failed; undefined: it did not. */
  failureOf(key: string): string | undefined {
    return this.#failures.of(key)?.reason;
  }

  /** Resolves when nothing is left to write, or after `ms`. True: the registry is as desired. */
  async settled(ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    while (!this.#isSettled()) {
      const left = deadline - Date.now();
      if (left <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.push(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
    return true;
  }

  /** Puts what is ours into maintenance, for at most `ms`; nothing else is written any more. False: not all of it. */
  async maintain(ms: number): Promise<boolean> {
    const { registry, ...limits } = this.#options;
    const owner = this.#desired?.owner;
    const ours = [...(this.#actual?.values() ?? [])].filter((entry) => entry.owner === owner);
    this.#desired = undefined;
    return maintainAll(registry, ours, { ...limits, ms }, (error) => this.#note(reasonOf(error)));
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stop = () => {
      this.#round.abort(signal.reason);
      this.#wake.call();
    };
    signal.addEventListener("abort", stop, { once: true });
    const { registry } = this.#options;
    const change = (each: Change | undefined) => (each ? this.#noticed(each) : this.#listSoon());
    const watching = followChanges(registry, { change, error: (error) => this.#note(reasonOf(error)) }, signal);
    while (!signal.aborted) {
      if (this.#desired && Date.now() >= this.#listAt && !this.#touched) void this.#list(signal);
      this.#beat(signal);
      const next = this.#write(signal);
      for (const resolve of this.#waiters.splice(0)) resolve();
      const list = this.#touched ? Number.POSITIVE_INFINITY : this.#listAt;
      await this.#wake.sleep(Math.min(next, list - Date.now(), this.#heartbeats.dueAt - Date.now()));
    }
    signal.removeEventListener("abort", stop);
    await watching;
  }

  /** Starts what can be started; returns how long until the next retry is due. */
  #write(signal: AbortSignal): number {
    if (!this.#desired || !this.#actual) return Number.POSITIVE_INFINITY;
    this.#open ??= this.#find(this.#desired, this.#actual);
    const open = this.#open;
    if (open.size === 0) this.#options.onIdle?.();
    // It is away: a list finds out when it is back.
    if (this.#listAttempts > 0) return Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    this.#failures.keep((key) => open.has(key) || this.#inFlight.has(key));
    for (const step of open.values()) {
      const { key } = step.entry;
      if (this.#inFlight.has(key)) continue;
      const wait = (this.#failures.of(key)?.retryAt ?? 0) - now;
      if (wait > 0) next = Math.min(next, wait);
      else if (this.#inFlight.size < this.#options.concurrency) void this.#step(step, signal);
    }
    return next;
  }

  /** The differences; each write that is done takes its own away, so that many take no more looks at everything. */
  #find(desired: Desired, actual: Map<string, Entry>): Map<string, Step> {
    const { steps, refused, spared, taken } = planOf(desired, actual);
    this.#refused = refused;
    for (const entry of taken) actual.set(entry.key, entry);
    this.#tellSpared(spared);
    return new Map(steps.map((step) => [step.entry.key, step]));
  }

  async #step(step: Step, signal: AbortSignal, quiet = false): Promise<void> {
    const { registry, callTimeoutMs, onStep } = this.#options;
    const { entry } = step;
    this.#inFlight.add(entry.key);
    this.#touched?.add(entry.key);
    const round = this.#round.signal;
    if (this.#failures.of(entry.key)) this.#counts.retries++;
    try {
      await within(callTimeoutMs, round, (inner) => registry[step.kind](entry, inner));
      this.#counts.writes++;
      if (step.kind === "register") this.#actual?.set(entry.key, entry);
      else this.#actual?.delete(entry.key);
      if (this.#open?.get(entry.key) === step) this.#open.delete(entry.key);
      else this.#open = undefined;
      this.#failures.delete(entry.key);
      if (!quiet) onStep?.(step);
    } catch (error) {
      if (!signal.aborted && !round.aborted) this.#failed(step, error);
    } finally {
      this.#touched?.add(entry.key);
      this.#inFlight.delete(entry.key);
      this.#wake.call();
    }
  }

  #failed(step: Step, error: unknown): void {
    this.#counts.failures++;
    const wait = this.#failures.add(step.entry.key, error);
    this.#note(reasonOf(error));
    // It may have had its effect all the same: only a list can tell.
    this.#listAt = Math.min(this.#listAt, Date.now() + wait / 2);
    if (this.#failures.of(step.entry.key)?.attempts === 1) this.#options.onStep?.(step, error);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { registry, callTimeoutMs, resyncMs, retryFirstMs, retryCapMs } = this.#options;
    const touched = new Set(this.#inFlight);
    this.#touched = touched;
    this.#listAt = Number.POSITIVE_INFINITY;
    try {
      if (this.#listAttempts > 0 && registry.ping) await this.#ping(signal);
      const entries = await within(3 * callTimeoutMs, signal, (inner) => registry.list(inner));
      this.#open = undefined;
      this.#actual = listed(entries, this.#actual, touched, this.#desired);
      if (this.#listAttempts > 0) this.#retryAllNow();
      // The writes of before ended, or are ended now: with what effect only another list can tell.
      if (this.#listAttempts > 0 && this.#inFlight.size > 0) this.#listAt = Date.now() + 100;
      this.#listAttempts = 0;
      this.#listAt = Math.min(this.#listAt, Date.now() + resyncMs * (0.75 + Math.random() / 4));
      this.#heartbeats.begin();
      this.#options.onRead?.(undefined);
    } catch (error) {
      if (signal.aborted) return;
      this.#note(reasonOf(error));
      this.#options.onRead?.(reasonOf(error));
      const capMs = Math.min(retryCapMs, registry.ping ? 300 : 1000);
      this.#listAt = Date.now() + backoff(this.#listAttempts++, { firstMs: Math.min(retryFirstMs, capMs), capMs });
    } finally {
      this.#touched = undefined;
      this.#wake.call();
    }
  }

  /** Small and often: a connection that hangs shall not hide that the registry is back. @throws when it is not */
  async #ping(signal: AbortSignal): Promise<void> {
    await within(this.#options.pingMs, signal, async (inner) => this.#options.registry.ping?.(inner));
  }

  /** The registry is back: no write waits out its pause, or for an answer that was lost. */
  #retryAllNow(): void {
    this.#round.abort(new Error("the registry was away"));
    this.#round = new AbortController();
    this.#failures.retryNow();
  }

  /** Registrations that would expire are written again, a few at a time. */
  #beat(signal: AbortSignal): void {
    if (!this.#actual) return;
    for (const key of this.#heartbeats.waiting(() => this.#desired?.entries.keys() ?? [])) {
      if (this.#inFlight.size >= this.#options.concurrency) return;
      if (this.#inFlight.has(key)) continue;
      this.#heartbeats.done(key);
      const entry = this.#desired?.entries.get(key);
      const isThere = entry && this.#actual.get(key)?.fingerprint === entry.fingerprint;
      if (isThere) void this.#step({ kind: "register", entry }, signal, true);
    }
  }

  #tellSpared(spared: readonly Entry[]): void {
    if (spared.length === 0 && this.#spared.size === 0) return;
    for (const entry of spared) if (!this.#spared.has(entry.key)) this.#options.onSpared?.(entry);
    this.#spared = new Set(spared.map(({ key }) => key));
  }

  /** What we wrote ourselves is known; others' entries are remembered; any other change of ours is a reason to list. */
  #noticed({ key, entry }: Change): void {
    if (this.#touched) this.#listSoon();
    if (!this.#actual || this.#touched || this.#inFlight.has(key)) return;
    const known = this.#actual.get(key);
    if (known?.fingerprint === entry?.fingerprint) return;
    const owner = this.#desired?.owner;
    const concernsUs = this.#desired?.entries.has(key) || known?.owner === owner || entry?.owner === owner;
    this.#open = undefined;
    if (concernsUs) this.#listSoon();
    else if (entry) this.#actual.set(key, entry);
    else this.#actual.delete(key);
  }

  /** Many changes at once are one reason. */
  #listSoon(): void {
    const soon = Date.now() + 100;
    if (this.#listAt <= soon) return;
    this.#listAt = soon;
    this.#wake.call();
  }

  #isSettled(): boolean {
    if (!this.#desired || !this.#actual || this.#inFlight.size > 0) return false;
    return planOf(this.#desired, this.#actual).steps.length === 0;
  }

  #note(text: string): void {
    this.#lastError = { text, at: Date.now() };
  }
}
