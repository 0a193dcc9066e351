import type { Instance, Leader, ServiceConfig } from "../discovery.ts";
import { isUsable } from "../matches.ts";

/** Who was named (by `setLeader`, or `leader_id` with a meta), and the revision of that write. */
export interface NamedLeader {
  id: string;
  rev: number;
}

export interface LeaderDecision {
  leader?: Leader;
  /** Of an "oldest" service with a naming: this one is next, but has to be named (again) to get the right token. */
  toName?: string;
}

/** What decides about leading: the instance, and since when it may lead where that is not its index. */
export interface Candidate {
  instance: Instance;
  standing?: { since?: number } | undefined;
}

/** The revision since which it may lead without a break: its place in the queue, and its token. */
export function sinceOf({ instance, standing }: Candidate): number {
  return standing?.since ?? instance.index ?? 0;
}

/**
 * Who leads. The token is greater for every later leadership:
 * - "oldest": of those that are usable, the one that has been so the longest (its index, unless it was down in between); when that
 *   one goes, the next has a higher number, and newcomers have higher ones still.
 * - "manual": the named one while it is registered. Token: the later of being named and being registered.
 * - "oldest" with a leader named all the same (by a meta's `leader_id`): the named one while it is usable, then the oldest. Whose
 *   index would be a smaller token, or would leave the next one's smaller, is named (again) first: an oldest that is older than the
 *   naming, and a named one that came after it.
 */
export function leaderOf(
  type: ServiceConfig["leader_type"],
  instances: ReadonlyMap<string, Candidate>,
  named: NamedLeader | undefined,
): LeaderDecision {
  const candidate = named && instances.get(named.id);
  if (type === "manual") {
    if (!named || !candidate) return {};
    const { instance } = candidate;
    return { leader: { instance, fencingToken: Math.max(named.rev, instance.index ?? 0) } };
  }
  const wished = candidate && isUsable(candidate.instance) ? candidate : undefined;
  if (named && wished && sinceOf(wished) <= named.rev) {
    return { leader: { instance: wished.instance, fencingToken: named.rev } };
  }
  const oldest = oldestOf(instances);
  if (!oldest) return {};
  const since = sinceOf(oldest);
  if (named && since <= named.rev) return { toName: (wished ?? oldest).instance.id };
  const leader = { instance: oldest.instance, fencingToken: since };
  return wished && wished !== oldest ? { leader, toName: wished.instance.id } : { leader };
}

function oldestOf(instances: ReadonlyMap<string, Candidate>): Candidate | undefined {
  let oldest: Candidate | undefined;
  for (const candidate of instances.values()) {
    if (isUsable(candidate.instance) && (!oldest || isBefore(candidate, oldest))) oldest = candidate;
  }
  return oldest;
}

/** Every daemon has to come to the same one, even where a foreign hand made two with one revision. */
function isBefore(a: Candidate, b: Candidate): boolean {
  const difference = sinceOf(a) - sinceOf(b);
  return difference === 0 ? a.instance.id < b.instance.id : difference < 0;
}
