import type { Discovery, DiscoveryEvent } from "../../../lib/discovery/discovery.ts";
import { pause } from "../../../lib/time/pause.ts";
import { splitAddress } from "./discoverdRecords.ts";
import { isUsable } from "./discoverdZone.ts";

/** An instance by its service and id. */
export interface InstanceName {
  service: string;
  id: string;
}

export interface AddressIndexOptions {
  discovery: Pick<Discovery, "watch">;
  signal: AbortSignal;
  /** Told when the watch breaks; it is begun again. */
  onFailure?: (error: unknown) => void;
}

/** What a slow moment may leave unread: beyond it the watch breaks, and the index is made anew. */
const bufferLimit = 100_000;
const againMs = 1000;

/**
 * Which instances have an IP address: kept up by a watch that begins with the first question, since most daemons are never
 * asked. Addresses are compared as text, IPv6 in its canonical form.
 */
export class AddressIndex {
  readonly #options: AddressIndexOptions;
  /** Host -> "service/id" -> both. */
  readonly #byHost = new Map<string, Map<string, InstanceName>>();
  #current: Promise<void> | undefined;
  #isCurrent = false;

  constructor(options: AddressIndexOptions) {
    this.#options = options;
  }

  /** The usable instances at `address`. @throws {Error} when the first state does not come in a second */
  async at(address: string): Promise<InstanceName[]> {
    this.#current ??= this.#begin();
    if (!this.#isCurrent) await Promise.race([this.#current, pause(againMs, this.#options.signal)]);
    if (!this.#isCurrent) throw new Error("the addresses are not known yet");
    return [...(this.#byHost.get(canonical(address))?.values() ?? [])];
  }

  #begin(): Promise<void> {
    const current = Promise.withResolvers<void>();
    void this.#follow(current.resolve);
    return current.promise;
  }

  async #follow(onCurrent: () => void): Promise<void> {
    const { discovery, signal, onFailure } = this.#options;
    while (!signal.aborted) {
      try {
        this.#byHost.clear();
        const kinds = ["up", "update", "down"] as const;
        for await (const event of discovery.watch(undefined, { signal, kinds, bufferLimit })) {
          this.#apply(event);
          if (event.kind !== "current" || event.service !== "") continue;
          this.#isCurrent = true;
          onCurrent();
        }
      } catch (error) {
        if (!signal.aborted) onFailure?.(error);
      }
      this.#isCurrent = false;
      if (!signal.aborted) await pause(againMs, signal);
    }
  }

  #apply({ kind, service, instance }: DiscoveryEvent): void {
    if (!instance) return;
    const { id, addr } = instance; // the id is made of the address: an update never moves an instance
    const host = canonical(splitAddress(addr).host);
    const here = this.#byHost.get(host) ?? new Map<string, InstanceName>();
    const stays = (kind === "up" || kind === "update") && isUsable(instance);
    if (stays) here.set(`${service}/${id}`, { service, id });
    else here.delete(`${service}/${id}`);
    if (here.size > 0) this.#byHost.set(host, here);
    else this.#byHost.delete(host);
  }
}

/** IPv6 as URLs write it: lower case, zeros shortened; what is no IPv6 literal stays. */
export function canonical(host: string): string {
  if (!host.includes(":") || host.includes("%")) return host;
  const url = URL.parse(`http://[${host}]/`);
  return url ? url.hostname.slice(1, -1) : host;
}
