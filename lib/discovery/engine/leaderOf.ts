import type { Instance, Leader, ServiceConfig } from "../discovery.ts";

/** Who was named (by `setLeader`, or `leader_id` with a meta), and the revision of that write. */
export interface NamedLeader {
  id: string;
  rev: number;
}

export interface LeaderDecision {
  leader?: Leader;
  /** An "oldest" service whose named leader is gone: this one is next, but has to be named to get a greater token. */
  toName?: string;
}

/**
 * Who leads. The token is greater for every later leadership:
 * - "oldest": the lowest index; when that one goes, the next has a higher index, and newcomers have higher ones still.
 * - "manual": the named one while it is registered. Token: the later of being named and being registered.
 * - "oldest" with a leader named all the same (by a meta's `leader_id`): the named one while it is registered; then the
 *   oldest. If that one is older than the naming, its index would be a smaller token, so it is named first.
 */
export function leaderOf(
  type: ServiceConfig["leader_type"],
  instances: ReadonlyMap<string, { instance: Instance }>,
  named: NamedLeader | undefined,
): LeaderDecision {
  if (named) {
    const instance = instances.get(named.id)?.instance;
    if (instance) return { leader: { instance, fencingToken: Math.max(named.rev, instance.index ?? 0) } };
  }
  if (type === "manual") return {};
  const oldest = oldestOf(instances);
  if (!oldest) return {};
  const index = oldest.index ?? 0;
  if (named && index <= named.rev) return { toName: oldest.id };
  return { leader: { instance: oldest, fencingToken: index } };
}

function oldestOf(instances: ReadonlyMap<string, { instance: Instance }>): Instance | undefined {
  let oldest: Instance | undefined;
  for (const { instance } of instances.values()) {
    if (!oldest || (instance.index ?? 0) < (oldest.index ?? 0)) oldest = instance;
  }
  return oldest;
}
