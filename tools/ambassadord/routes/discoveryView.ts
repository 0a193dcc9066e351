import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../../lib/cli/logger.ts";
import type { Discovery, Instance } from "../../../lib/discovery/discovery.ts";

const firstPauseMs = 100;
const longestPauseMs = 5000;

/**
 * All instances of all services, followed by one watch. When the watch breaks it is begun again with back-off, and what was
 * known stays until the new one has told its whole first state.
 */
export class DiscoveryView {
  readonly #discovery: Pick<Discovery, "watch">;
  readonly #changed: () => void;
  readonly #log: Logger;
  #services = new Map<string, Map<string, Instance>>();
  /** Whether a whole state was ever seen. */
  known = false;
  /** Why the newest state may be old; undefined while the watch runs. */
  trouble: string | undefined;

  constructor(discovery: Pick<Discovery, "watch">, log: Logger, changed: () => void) {
    this.#discovery = discovery;
    this.#changed = changed;
    this.#log = log;
  }

  /** Oldest first. */
  instances(service: string): Instance[] {
    return [...(this.#services.get(service)?.values() ?? [])].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  }

  /** Runs until the signal aborts; never throws. */
  async follow(signal: AbortSignal): Promise<void> {
    for (let pause = firstPauseMs; !signal.aborted; pause = Math.min(pause * 2, longestPauseMs)) {
      const begun = Date.now();
      try {
        await this.#watchOnce(signal);
        this.trouble = "discovery ended the watch";
      } catch (error) {
        this.trouble = error instanceof Error ? error.message : String(error);
      }
      if (signal.aborted) return;
      if (Date.now() - begun > longestPauseMs) pause = firstPauseMs;
      this.#log.warn("the watch of discovery broke; what was known stays", { reason: this.trouble, retryMs: pause });
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
  }

  async #watchOnce(signal: AbortSignal): Promise<void> {
    // Until `current` the events tell the first state, apart from what is served meanwhile.
    let next: Map<string, Map<string, Instance>> | undefined = new Map();
    const events = this.#discovery.watch(undefined, { signal, kinds: ["up", "update", "down", "current"] });
    for await (const { kind, service, instance } of events) {
      const services: Map<string, Map<string, Instance>> = next ?? this.#services;
      if (kind === "current" && next) {
        this.#services = next;
        next = undefined;
        this.known = true;
        this.trouble = undefined;
      } else if (kind === "down" && instance) {
        const instances = services.get(service);
        instances?.delete(instance.id);
        if (instances?.size === 0) services.delete(service);
      } else if ((kind === "up" || kind === "update") && instance) {
        const instances = services.get(service) ?? new Map<string, Instance>();
        instances.set(instance.id, instance);
        services.set(service, instances);
      }
      if (!next) this.#changed();
    }
  }
}
