import type { Entry } from "../registries/registry.ts";
import type { Desired } from "./planOf.ts";

/**
 * What a registry holds, from a list of it.
 *
 * @param known what we thought that it holds
 * @param touched keys that we wrote while the list was under way: it may be older than they are
 */
export function listed(
  entries: readonly Entry[],
  known: ReadonlyMap<string, Entry> | undefined,
  touched: ReadonlySet<string>,
  desired: Desired | undefined,
): Map<string, Entry> {
  const fresh = new Map(entries.map((entry) => [entry.key, entry]));
  for (const key of touched) {
    const written = known?.get(key);
    if (written) fresh.set(key, written);
    else fresh.delete(key);
  }
  for (const [key, entry] of fresh) {
    const same = known?.get(key) ?? (entry.owner === "" ? undefined : desired?.entries.get(key));
    if (same?.fingerprint !== entry.fingerprint) continue;
    // What is the same is kept once. And where stamps cannot be (the original's exact body), what we wrote is ours as long as it
    // stays so.
    if (same.owner === entry.owner || entry.owner === "") fresh.set(key, same);
  }
  return fresh;
}
