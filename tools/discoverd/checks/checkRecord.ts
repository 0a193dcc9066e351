import type { Instance } from "../../../lib/discovery/discovery.ts";
import type { CheckDefinition } from "../../../lib/health/checkDefinition.ts";

/** Beside the engine's own keys, which this does not concern. */
export const checksPrefix = "/discoverd/checks/v1/";

/** The checks of one instance, as the store keeps them for whichever daemon runs them. */
export interface CheckRecord {
  service: string;
  instance: Instance;
  checks: readonly CheckDefinition[];
  /** Id of the daemon that runs them. */
  owner: string;
  /** Registered by its checks: no heartbeats keep it. */
  stays: boolean;
}

export function checksKey(service: string, id: string): string {
  return `${checksPrefix}${service}/${id}`;
}

export function encodeRecord({ instance, checks, owner, stays }: CheckRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ instance, checks, owner, stays }));
}

/** Undefined for what is none of ours. The checks were validated before they were written. */
export function decodeRecord(key: string, value: Uint8Array): CheckRecord | undefined {
  const service = key.slice(checksPrefix.length).split("/", 1)[0] ?? "";
  try {
    const { instance, checks, owner, stays } = JSON.parse(new TextDecoder().decode(value)) as Partial<CheckRecord>;
    if (!instance?.id || !Array.isArray(checks) || typeof owner !== "string") return undefined;
    if (key !== checksKey(service, instance.id)) return undefined;
    return { service, instance, checks, owner, stays: stays === true };
  } catch {
    return undefined; // spoilt: hides only itself
  }
}
