import type { Entry } from "../registries/registry.ts";

export interface Desired {
  /** Our owner stamp. */
  owner: string;
  /** By key. */
  entries: ReadonlyMap<string, Entry>;
  /** Containers whose entries are left as they are: unreadable now, or ended in a way that keeps them. */
  keep: ReadonlySet<string>;
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
}

/** What has to be written so that the registry holds our part of `desired`; nothing that is not ours is touched. */
export function planOf(desired: Desired, actual: ReadonlyMap<string, Entry>): Plan {
  const steps: Step[] = [];
  const refused = new Map<string, string>();
  for (const [key, entry] of actual) {
    if (entry.owner !== desired.owner || desired.entries.has(key) || desired.keep.has(entry.containerId)) continue;
    steps.push({ kind: "deregister", entry });
  }
  for (const [key, entry] of desired.entries) {
    const there = actual.get(key);
    if (there && there.owner !== desired.owner) {
      const whose = there.owner === "" ? "an entry without an owner stamp" : `engine ${there.owner}`;
      refused.set(key, `${entry.service} at ${entry.address} is already registered by ${whose}`);
    } else if (there?.fingerprint !== entry.fingerprint) steps.push({ kind: "register", entry });
  }
  return { steps, refused };
}
