/** What the client container tells of one visit. */
export interface Visit {
  ok: boolean;
  via: string;
  ms: number;
  visits?: number;
  webapp?: string;
  error?: string;
}

export type Via = "ambassador" | "dns";

/** Longer than the three hops of a visit may take inside. */
const timeoutMs = 8_000;

/** Asks the client container, at its own address, to visit the webapp. A failed visit is an answer, not an error. */
export async function visit(client: string, via: Via): Promise<Visit> {
  try {
    const answer = await fetch(`http://${client}:8070/visit?via=${via}`, { signal: AbortSignal.timeout(timeoutMs) });
    return (await answer.json()) as Visit;
  } catch (error) {
    return { ok: false, via, ms: 0, error: error instanceof Error ? error.message : String(error) };
  }
}

export interface Tally {
  ok: number;
  failed: number;
  /** How many each webapp answered, by name. */
  byWebapp: Record<string, number>;
  /** The count after the last visit that succeeded. */
  visits: number;
  /** Slowest successful one, in milliseconds. */
  slowestMs: number;
  errors: string[];
}

export function tally(visits: readonly Visit[]): Tally {
  const sum: Tally = { ok: 0, failed: 0, byWebapp: {}, visits: 0, slowestMs: 0, errors: [] };
  for (const each of visits) {
    if (!each.ok) {
      sum.failed++;
      const error = each.error ?? "no answer";
      if (!sum.errors.includes(error)) sum.errors.push(error);
      continue;
    }
    sum.ok++;
    const webapp = each.webapp ?? "?";
    sum.byWebapp[webapp] = (sum.byWebapp[webapp] ?? 0) + 1;
    sum.visits = Math.max(sum.visits, each.visits ?? 0);
    sum.slowestMs = Math.max(sum.slowestMs, each.ms);
  }
  return sum;
}

/** `times` visits one after another, every second one by DNS. */
export async function visitTimes(client: string, times: number, via?: Via): Promise<Visit[]> {
  const visits: Visit[] = [];
  for (let i = 0; i < times; i++) visits.push(await visit(client, via ?? (i % 2 === 0 ? "ambassador" : "dns")));
  return visits;
}
