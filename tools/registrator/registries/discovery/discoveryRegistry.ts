import type { Discovery, Instance, InstanceState, StateChange } from "../../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../../lib/discovery/discoveryError.ts";
import type { Entry, Registry } from "../registry.ts";
import { type DiscoveryPayload, discoveryEntry, entryOfInstance } from "./discoveryEntry.ts";

export interface DiscoveryRegistryOptions {
  discovery: Discovery;
  /**
   * The discovery is in this process: registrations live as long as it does and need no heartbeat. Default false: each is written
   * again every third of `ttlMs`, and goes by itself when this process dies.
   */
  held?: boolean;
  /** Default 15,000. */
  ttlMs?: number;
  /** How often it is written again, when not held. Default a third of `ttlMs`. */
  heartbeatMs?: number;
  name?: string;
}

/** Services read at a time where each is a request. */
const parallelReads = 8;

/**
 * Registers in discoverd: over the engine in this process, or over HTTP by its client.
 *
 * @example
 * discoveryRegistry({ discovery: engine, held: true });
 */
export function discoveryRegistry(options: DiscoveryRegistryOptions): Registry<DiscoveryPayload> {
  const { discovery, held = false, ttlMs = 15_000, heartbeatMs = ttlMs / 3, name = "discovery" } = options;
  /** What we said of each, by key, where it is not "up". */
  const said = new Map<string, InstanceState>();
  const entryFrom = (service: string, instance: Instance) =>
    entryOfInstance(service, instance, said.get(`${service}/${instance.id}`));
  const registration = held ? { held: true } : { ttlMs };

  return {
    name,
    showsHealth: true,
    heartbeatMs: held ? undefined : heartbeatMs,
    entryOf: discoveryEntry,

    async list() {
      const services = (await discovery.services())
        .filter(({ instances }) => instances > 0)
        .map((service) => service.name);
      const entries: Entry<DiscoveryPayload>[] = [];
      for (let at = 0; at < services.length; at += parallelReads) {
        const some = services.slice(at, at + parallelReads);
        const read = await Promise.all(some.map((service) => discovery.instances(service)));
        some.forEach((service, i) => {
          for (const instance of read[i] ?? []) entries.push(entryFrom(service, instance));
        });
      }
      const there = new Map(entries.map(({ key, payload }) => [key, payload.state.state]));
      for (const key of said.keys()) if (!there.has(key)) said.delete(key);
      for (const [key, state] of there) {
        if (state === "up") said.delete(key);
        else said.set(key, state);
      }
      return entries;
    },

    async register({ key, payload: { service, instance, state } }) {
      try {
        await discovery.register(service, instance, registration);
      } catch (error) {
        if (!isCode(error, "object_not_found")) throw error;
        await addService(discovery, service);
        await discovery.register(service, instance, registration);
      }
      const before = said.get(key) ?? "up";
      if (before === state.state) return;
      const tell = (change: StateChange) => discovery.setState(service, instance.id, change);
      // Two hands: what takes it aside goes before what its check says.
      if (isAside(state.state)) await tell({ ...state, by: "operator" });
      else {
        if (isAside(before)) await tell({ state: "up", by: "operator" });
        await tell({ state: state.state, ...(state.reason === "" ? {} : { reason: state.reason }), by: "check" });
      }
      if (state.state === "up") said.delete(key);
      else said.set(key, state.state);
    },

    async deregister({ key, payload: { service, instance } }) {
      said.delete(key);
      try {
        await discovery.deregister(service, instance.id);
      } catch (error) {
        if (!isCode(error, "object_not_found")) throw error;
      }
    },

    async *changes(signal) {
      for await (const event of discovery.watch(undefined, { signal, kinds: ["up", "update", "down", "current"] })) {
        if (event.kind === "current") yield undefined;
        else if (event.instance) {
          const entry = entryFrom(event.service, event.instance);
          yield event.kind === "down" ? { key: entry.key } : { key: entry.key, entry };
        }
      }
    },
  };
}

function isAside(state: InstanceState): boolean {
  return state === "draining" || state === "maintenance";
}

async function addService(discovery: Discovery, service: string): Promise<void> {
  try {
    await discovery.addService(service);
  } catch (error) {
    if (!isCode(error, "object_exists")) throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof DiscoveryError && error.code === code;
}
