import type { Change } from "../watchBuffer.ts";
import type { Keys, WireEntry } from "./wire.ts";

/** What a watch remembers of an entry. The Flags differ with each put of ours: another life of the store shows in them. */
interface Seen {
  createRev: number;
  modRev: number;
  flags: number;
  session: string | undefined;
}

/** What a watch remembers: entries by their full keys, and up to which revision they were told. */
export interface Known {
  entries: Map<string, Seen>;
  rev: number;
}

/** An answer of a blocking query. */
export interface Listed {
  /** X-Consul-Index: of the prefix; it may go back when Consul forgets its deletes, and when it lost its data. */
  index: number;
  entries: readonly WireEntry[];
}

export const knownOf = (listed: Listed): Known => ({
  entries: new Map(listed.entries.map((entry) => [entry.Key, seenOf(entry)])),
  rev: listed.index,
});

/**
 * What has changed from what is known to what was listed; updates `known`. Undefined when they cannot be of one history:
 * the index or an entry's went back, or something changed before what was known already.
 */
export function compareLists(keys: Keys, known: Known, listed: Listed): Change[] | undefined {
  const puts: Extract<Change, { type: "put" }>[] = [];
  const fresh = new Map<string, Seen>();
  for (const wire of listed.entries) {
    const old = known.entries.get(wire.Key);
    if (old && isSame(old, wire)) {
      fresh.set(wire.Key, old);
      continue;
    }
    if (wire.ModifyIndex <= known.rev) return undefined;
    fresh.set(wire.Key, seenOf(wire));
    puts.push({ type: "put", entry: keys.entry(wire) });
  }
  const gone = [...known.entries.keys()].filter((key) => !fresh.has(key));
  const isUnchanged = puts.length === 0 && gone.length === 0;
  // The same entries to the flags, and some at all: only the memory of deletes was dropped.
  if (listed.index < known.rev && !(isUnchanged && fresh.size > 0)) return undefined;
  known.entries = fresh;
  known.rev = Math.max(known.rev, listed.index);
  puts.sort((a, b) => a.entry.modRev - b.entry.modRev);
  const deletes = gone.map((key): Change => ({ type: "delete", key: keys.key(key), rev: known.rev }));
  return [...puts, ...deletes];
}

const seenOf = (wire: WireEntry): Seen => ({
  createRev: wire.CreateIndex,
  modRev: wire.ModifyIndex,
  flags: wire.Flags,
  session: wire.Session,
});

const isSame = (old: Seen, wire: WireEntry): boolean =>
  old.modRev === wire.ModifyIndex &&
  old.createRev === wire.CreateIndex &&
  old.flags === wire.Flags &&
  old.session === wire.Session;
