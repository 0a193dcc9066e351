import type { ExecCalls } from "../../docker/execCalls.ts";
import type { CheckDefinition } from "../../health/checkDefinition.ts";
import { createProbe } from "../../health/createProbe.ts";
import { type Monitor, startMonitor } from "../../health/startMonitor.ts";
import { worstOf } from "../../health/worstOf.ts";
import type { Discovery, Instance, RegisterOptions } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import type { ClientLog } from "./clientLog.ts";

export interface KeepOptions extends RegisterOptions {
  /** Run here: registered only while none of them is down. Default none: registered at once. */
  checks?: readonly CheckDefinition[];
  /** For checks in containers. */
  docker?: () => Promise<ExecCalls>;
  log?: ClientLog & { info?(message: string, fields?: Record<string, unknown>): void };
  /** Pause after a failed try, ms. Default 1,000. */
  retryMs?: number;
}

/** A registration that is kept up. */
export interface KeptRegistration {
  readonly instance: Instance;
  /** The daemon knows it, as far as we know. */
  readonly registered: boolean;
  /** Resolves when it is registered for the first time; rejects when it is refused for good, or closed before. */
  readonly whenRegistered: Promise<void>;
  /** Takes another meta: at once, or with the next registration when it is not registered now. */
  setMeta(meta: Record<string, string>): void;
  /** Stops the checks and deregisters (one try). */
  close(): Promise<void>;
}

/**
 * Registers an instance (and its service, where it is new), keeps it alive by heartbeats, and takes it out while its checks are
 * down: Flynn's health registration, with the checks on the registering side. Goes on trying while no daemon answers.
 *
 * @example
 * const kept = keepRegistered(discovery, "web", instance, { checks: [{ type: "http", path: "/healthz" }] });
 * await kept.whenRegistered;
 */
export function keepRegistered(
  discovery: Discovery,
  service: string,
  instance: Instance,
  options: KeepOptions = {},
): KeptRegistration {
  return new Keeper(discovery, service, instance, options);
}

class Keeper implements KeptRegistration {
  instance: Instance;
  registered = false;
  readonly whenRegistered: Promise<void>;
  readonly #discovery: Discovery;
  readonly #service: string;
  readonly #options: KeepOptions;
  readonly #monitors = new Map<string, Monitor>();
  #wanted: "in" | "out" | "closed";
  #isStale = false;
  #told: { status: string; reason: string } = { status: "up", reason: "" };
  #working: Promise<void> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #first: { resolve: () => void; reject: (error: unknown) => void } = { resolve() {}, reject() {} };

  constructor(discovery: Discovery, service: string, instance: Instance, options: KeepOptions) {
    this.#discovery = discovery;
    this.#service = service;
    this.#options = options;
    this.instance = instance;
    this.whenRegistered = new Promise((resolve, reject) => {
      this.#first = { resolve, reject };
    });
    this.whenRegistered.catch(() => undefined); // told to those who await it
    const { checks = [], docker } = options;
    this.#wanted = checks.length === 0 ? "in" : "out";
    for (const check of checks) {
      const probe = createProbe(check, { addr: instance.addr, ...(docker ? { docker } : {}) });
      const onResult = () => this.#checked();
      this.#monitors.set(check.name ?? check.type, startMonitor(check, { probe, onResult }));
    }
    this.#wake();
  }

  setMeta(meta: Record<string, string>): void {
    this.instance = { ...this.instance, meta };
    this.#isStale = true;
    this.#wake();
  }

  async close(): Promise<void> {
    for (const monitor of this.#monitors.values()) monitor.stop();
    this.#wanted = "closed";
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#first.reject(new DiscoveryError("service_unavailable", "discoverd: closed before it was registered"));
    await this.#working;
    await this.#work();
  }

  #checked(): void {
    const states = new Map([...this.#monitors].map(([name, { state }]) => [name, state]));
    const { status, reason } = worstOf(states);
    const wanted = status === "down" ? "out" : "in";
    if (this.#wanted === "closed" || (wanted === this.#wanted && status === this.#told.status)) return;
    if (wanted !== this.#wanted) {
      this.#options.log?.info?.(wanted === "in" ? "checks pass" : "checks fail", { service: this.#service, reason });
    }
    this.#wanted = wanted;
    this.#told = { status, reason };
    this.#isStale = true;
    this.#wake();
  }

  #wake(): void {
    if (this.#working || this.#retry) return;
    this.#working = this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Makes the registration what is wanted, until it is. */
  async #work(): Promise<void> {
    const { retryMs = 1000, log } = this.#options;
    try {
      while (this.registered !== (this.#wanted === "in") || (this.registered && this.#isStale)) {
        if (this.#wanted === "in") await this.#register();
        else await this.#deregister();
      }
    } catch (error) {
      if (this.#wanted === "closed") {
        log?.warn("could not deregister; it expires by its TTL", { service: this.#service, error: String(error) });
        return;
      }
      if (error instanceof DiscoveryError && error.code === "validation_error") {
        this.#first.reject(error);
        log?.warn("the registration is refused", { service: this.#service, error: error.message });
        return;
      }
      log?.warn("not registered yet; trying on", { service: this.#service, error: String(error) });
      this.#retry = setTimeout(
        () => {
          this.#retry = undefined;
          this.#wake();
        },
        retryMs * (0.8 + Math.random() * 0.4),
      );
    }
  }

  async #register(): Promise<void> {
    this.#isStale = false;
    const { checks: _, docker: __, log, retryMs: ___, ...options } = this.#options;
    try {
      await this.#discovery.addService(this.#service).catch((error: unknown) => {
        if (!(error instanceof DiscoveryError && error.code === "object_exists")) throw error;
      });
      await this.#discovery.register(this.#service, this.instance, { ...options, held: true });
      this.registered = true;
      const { status, reason } = this.#told;
      if (this.#monitors.size > 0 && status !== "down") {
        const state = status === "warning" ? "warning" : "up";
        await this.#discovery.setState(this.#service, this.instance.id, { state, reason, by: "check" });
      }
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
    log?.info?.("registered", { service: this.#service, addr: this.instance.addr });
    this.#first.resolve();
  }

  async #deregister(): Promise<void> {
    this.registered = false;
    try {
      await this.#discovery.deregister(this.#service, this.instance.id);
    } catch (error) {
      if (error instanceof DiscoveryError && error.code === "object_not_found") return;
      this.registered = true;
      throw error;
    }
  }
}
