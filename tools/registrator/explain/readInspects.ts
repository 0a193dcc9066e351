import { parseContainer } from "../../../lib/docker/parseContainer.ts";
import type { InspectedContainer, Lookup } from "../services/ports.ts";

/** Inspect objects by id, as `explain --inspect FILE` takes them. */
export type InspectedContainers = ReadonlyMap<string, InspectedContainer>;

/**
 * One inspect object, an array of them, or a map from id to inspect.
 * @throws {DockerError} bad_answer; {TypeError} it is none of these
 */
export function readInspects(raw: unknown): InspectedContainers {
  const entries = listOf(raw).map(([key, each]) => {
    const container = parseInspect(key === undefined ? each : withDefaults(each, key));
    return [container.id, container] as const;
  });
  if (entries.length === 0) throw new TypeError("there is no container in it");
  return new Map(entries);
}

/** By full id, the beginning of one, or name; undefined when none or several fit. */
export function lookupIn(containers: InspectedContainers): Lookup {
  return (idOrName) => {
    const exact = containers.get(idOrName);
    if (exact) return exact;
    const wanted = idOrName.replace(/^\//, "");
    if (wanted === "") return undefined;
    const all = [...containers.values()];
    const named = all.find(({ name }) => name === wanted);
    if (named) return named;
    const begun = all.filter(({ id }) => id.startsWith(wanted));
    return begun.length === 1 ? begun[0] : undefined;
  };
}

/** An inspect answer with the top-level address that engines before API 1.52 gave. */
export function parseInspect(raw: unknown): InspectedContainer {
  const container = parseContainer(raw);
  const settings = isObject(raw) && isObject(raw.NetworkSettings) ? raw.NetworkSettings : {};
  return typeof settings.IPAddress === "string" ? { ...container, topLevelIp: settings.IPAddress } : container;
}

function listOf(raw: unknown): [string | undefined, unknown][] {
  if (Array.isArray(raw)) return raw.map((each) => [undefined, each]);
  if (!isObject(raw)) throw new TypeError("an inspect object, an array of them, or a map from id to inspect is wanted");
  if (typeof raw.Id === "string" || isObject(raw.Config)) return [[undefined, raw]];
  return Object.entries(raw);
}

/** In a map the key says the id; a snippet may leave the state out. */
function withDefaults(raw: unknown, id: string): unknown {
  return isObject(raw) ? { Id: id, State: { Running: true }, ...raw } : raw;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
