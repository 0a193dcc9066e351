/** What decides about one instance's life. Times in ms of a clock that does not count our own stalls. */
export interface Beat {
  seenAt: number;
  ttlMs: number;
  /** Lives as long as this process: never expires. */
  held: boolean;
}

export interface ExpiryRules {
  /** Above this share of late instances (and at least 3) nothing expires yet. 1 turns the brake off. */
  brakeShare: number;
  /** How long the brake may keep an instance after its TTL, in ms. */
  brakeHoldMs: number;
}

export interface ExpiryDecision<T> {
  /** To remove now. */
  expired: T[];
  /** Overdue, but kept by the brake. */
  braked: T[];
}

/**
 * Which instances to remove. When more than `brakeShare` of all that report here are late at once (silent for 60 % of their
 * TTL: with heartbeats at half of it, one was missed), the fault is likelier ours or the network's than theirs, and the
 * overdue are kept until heartbeats return, or until `brakeHoldMs` after their TTL.
 */
export function expiring<T extends Beat>(now: number, beats: Iterable<T>, rules: ExpiryRules): ExpiryDecision<T> {
  const overdue: T[] = [];
  let reporting = 0;
  let late = 0;
  for (const beat of beats) {
    if (beat.held) continue;
    reporting++;
    const silent = now - beat.seenAt;
    if (silent > beat.ttlMs * 0.6) late++;
    if (silent > beat.ttlMs) overdue.push(beat);
  }
  if (overdue.length === 0) return { expired: [], braked: [] };
  if (late < 3 || late / reporting <= rules.brakeShare) return { expired: overdue, braked: [] };
  const decision: ExpiryDecision<T> = { expired: [], braked: [] };
  for (const beat of overdue) {
    const tooLong = now - beat.seenAt > beat.ttlMs + rules.brakeHoldMs;
    (tooLong ? decision.expired : decision.braked).push(beat);
  }
  return decision;
}
