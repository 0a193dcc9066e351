import type { Registry } from "../registry.ts";
import { type ConsulWait, consulChanges } from "./consulChanges.ts";
import {
  type ConsulPayload,
  type ConsulState,
  consulEntries,
  consulEntry,
  healthCheckId,
  maintenanceReason,
} from "./consulEntry.ts";
import { type ConsulCall, ConsulError } from "./consulError.ts";
import { consulPing } from "./consulPing.ts";

/** The checks that tell a state of ours: a service's health by Docker, and its maintenance. */
const ourChecks = new URLSearchParams({ filter: 'CheckID matches "^(registrator-health|_service_maintenance):"' });

/** What the agent has under one ID. */
interface Standing {
  service: string;
  state: ConsulState;
}

/** A write failed since the last list: it may stand there, or a part of it. No service of ours looks so. */
const unknown: Standing = { service: "", state: "none" };

/**
 * A Consul agent's services and their states. A state is written apart from its service: one that falls ill is not registered again,
 * which would reset its other checks.
 */
export function consulRegistry(
  call: ConsulCall,
  options: { compat?: boolean; wait?: ConsulWait } = {},
): Registry<ConsulPayload> {
  /** What stands there, as far as we know: what need not be written. */
  let standing = new Map<string, Standing>();
  /** Our own writes, counted when they begin and when they end: after one, that the agent looks as before is news too. */
  let writes = 0;

  async function put(path: string, signal: AbortSignal, body?: unknown): Promise<void> {
    writes++;
    try {
      await call("PUT", path, signal, body);
    } finally {
      writes++;
    }
  }

  const maintenance = (id: string, query: Record<string, string>, signal: AbortSignal) =>
    put(`/v1/agent/service/maintenance/${encodeURIComponent(id)}?${new URLSearchParams(query)}`, signal);

  async function register(key: string, payload: ConsulPayload, isNew: boolean, signal: AbortSignal): Promise<void> {
    // Or a check of an earlier version would stay. What the agent knew of a check's state it keeps; maintenance it does not.
    const query = isNew ? "" : "?replace-existing-checks=true";
    await put(`/v1/agent/service/register${query}`, signal, payload.registration);
    standing.set(key, { service: payload.standing, state: "none" });
  }

  async function showState(key: string, payload: ConsulPayload, signal: AbortSignal): Promise<void> {
    const { state, output } = payload;
    const before = standing.get(key)?.state ?? "none";
    if (state === "maintenance") {
      await maintenance(key, { enable: "true", reason: `${maintenanceReason}${output}` }, signal);
    } else {
      if (before === "maintenance") await maintenance(key, { enable: "false" }, signal);
      if (state !== "none") {
        const id = encodeURIComponent(healthCheckId(key));
        await put(`/v1/agent/check/update/${id}`, signal, { Status: state, Output: output });
      }
    }
    standing.set(key, { service: payload.standing, state });
  }

  return {
    name: "consul",
    showsHealth: true,
    entryOf: (service, origin) => consulEntry(service, origin, options),
    ping: consulPing(call),

    async list(signal) {
      const [services, checks] = await Promise.all([
        call("GET", "/v1/agent/services", signal),
        call("GET", `/v1/agent/checks?${ourChecks}`, signal),
      ]);
      const entries = consulEntries(JSON.parse(services), JSON.parse(checks));
      standing = new Map(
        entries.map(({ key, payload }) => [key, { service: payload.standing, state: payload.state }] as const),
      );
      return entries;
    },

    async register({ key, payload }, signal) {
      const there = standing.get(key);
      const isThere = there?.service === payload.standing;
      try {
        if (!isThere) await register(key, payload, there === undefined, signal);
        try {
          await showState(key, payload, signal);
        } catch (error) {
          // The service or its check went meanwhile.
          if (!isThere || !(error instanceof ConsulError)) throw error;
          await register(key, payload, false, signal);
          await showState(key, payload, signal);
        }
      } catch (error) {
        standing.set(key, unknown);
        throw error;
      }
    },

    async maintain({ key, containerName }, signal) {
      await maintenance(
        key,
        { enable: "true", reason: `${maintenanceReason}${containerName} has no registrator` },
        signal,
      );
    },

    async deregister({ key }, signal) {
      standing.set(key, unknown);
      try {
        await put(`/v1/agent/service/deregister/${encodeURIComponent(key)}`, signal);
      } catch (error) {
        if (!(error instanceof ConsulError && error.status === 404)) throw error;
      }
      standing.delete(key);
    },

    changes: (signal) => consulChanges(call, { wait: options.wait, writes: () => writes }, signal),
  };
}
