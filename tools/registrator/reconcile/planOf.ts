import type { Entry } from "../registries/registry.ts";
import { isSameEngine } from "./owner.ts";

export interface Desired {
  /** Our owner stamp; never empty. */
  owner: string;
  /** By key. */
  entries: ReadonlyMap<string, Entry>;
  /** Containers whose entries are left as they are: unreadable now, or ended in a way that keeps them. */
  keep: ReadonlySet<string>;
  /** Entries without an owner stamp that count as ours all the same: what the original left under this host's name. */
  adopts?: (entry: Entry) => boolean;
  /** Entries of ours that are no longer wanted, and yet only told of (`-cleanup=dry-run`). */
  spares?: (entry: Entry) => boolean;
}

export interface Step {
  kind: "register" | "deregister";
  entry: Entry;
}

export interface Plan {
  /** Deregistrations first: what is dead is worse than what is missing. */
  steps: Step[];
  /** Keys that belong to others, and why we leave them. */
  refused: Map<string, string>;
  /** What would be deregistered if it were not spared. */
  spared: Entry[];
  /** Wanted entries that stand there without a stamp and yet as we would write them: they are ours from now on. */
  taken: Entry[];
}

/** What has to be written so that the registry holds our part of `desired`; nothing that is not ours is touched. */
export function planOf(desired: Desired, actual: ReadonlyMap<string, Entry>): Plan {
  const steps: Step[] = [];
  const spared: Entry[] = [];
  const taken: Entry[] = [];
  const refused = new Map<string, string>();
  let led: ReadonlySet<string> | undefined;
  const isLed = (entry: Entry) => {
    led ??= swarmServicesIn(desired);
    return led.has(entry.containerId);
  };
  const isOurs = (entry: Entry) =>
    entry.owner === desired.owner ||
    (entry.owner === "" && (desired.adopts?.(entry) ?? false)) ||
    (entry.owner !== "" && isLed(entry));
  for (const [key, entry] of actual) {
    if (desired.entries.has(key) || !isOurs(entry) || desired.keep.has(entry.containerId)) continue;
    if (desired.spares?.(entry)) spared.push(entry);
    else steps.push({ kind: "deregister", entry });
  }
  for (const [key, entry] of desired.entries) {
    const there = actual.get(key);
    // As we wrote it: nearly all of them, each time.
    if (there === entry) continue;
    if (there && !isOurs(there) && !isTheSame(there, entry, desired)) {
      const whose = there.owner === "" ? "an entry without an owner stamp" : `engine ${there.owner}`;
      refused.set(key, `${entry.service} at ${entry.address} is already registered by ${whose}`);
    } else if (there?.fingerprint !== entry.fingerprint) steps.push({ kind: "register", entry });
    else if (there.owner === "") taken.push(entry);
  }
  return { steps, refused, spared, taken };
}

/** A container's id is longer, and of hexadecimal letters alone. */
const swarmServiceId = /^[0-9a-z]{25}$/;

/**
 * The Swarm services among what is desired. They are the cluster's, and registered by its leading manager: what another wrote
 * for one is from when that one led.
 */
function swarmServicesIn({ entries }: Desired): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { containerId } of entries.values()) if (swarmServiceId.test(containerId)) found.add(containerId);
  return found;
}

/** What the original wrote for this very service; or what we wrote for this container before the host was renamed. */
function isTheSame(there: Entry, entry: Entry, { owner }: Desired): boolean {
  if (there.owner === "") return entry.looks !== undefined && there.looks === entry.looks;
  return isSameEngine(there.owner, owner) && there.containerId === entry.containerId;
}
