import type { Instance } from "../discovery.ts";
import type { ServiceSet } from "./serviceSet.ts";

/** There is nobody to choose from. */
export class NoServicesError extends Error {
  override readonly name = "NoServicesError";
  readonly code = "no_services";
}

/** Chooses an instance for one piece of work. */
export interface Balancer {
  /** @throws {NoServicesError} "balancer: no services found" */
  next(): Instance;
}

/** Only what a balancer needs of a set. */
type Choice = Pick<ServiceSet, "usable">;

/** Any of them; `random` is in [0, 1). */
export function randomBalancer(set: Choice, random: () => number = Math.random): Balancer {
  return { next: () => pick(set.usable, (count) => Math.floor(random() * count)) };
}

/** One after the other. */
export function roundRobinBalancer(set: Choice): Balancer {
  let turn = 0;
  // The place is taken of the list as it is now: it may have shrunk since the last time.
  return { next: () => pick(set.usable, (count) => turn++ % count) };
}

/**
 * One after the other, each as often as its weight says, evenly mixed (a, a, b, a for 3 and 1). Weight 0: only when all have it.
 *
 * @example
 * const balancer = weightedBalancer(await openServiceSet(discovery, "web"));
 * await fetch(`http://${balancer.next().addr}/`);
 */
export function weightedBalancer(set: Choice): Balancer {
  /** What each is owed: it gains its weight at every turn, and whoever is owed most pays all that was gained. */
  let owed = new Map<string, number>();
  return {
    next() {
      const all = set.usable;
      const weighty = all.filter(({ weight = 1 }) => weight > 0);
      const from = weighty.length > 0 ? weighty : all;
      const kept = new Map<string, number>();
      let total = 0;
      let best: Instance | undefined;
      for (const each of from) {
        const gain = weighty.length > 0 ? (each.weight ?? 1) : 1;
        const now = (owed.get(each.id) ?? 0) + gain;
        total += gain;
        kept.set(each.id, now);
        if (!best || now > (kept.get(best.id) ?? 0)) best = each;
      }
      if (!best) throw new NoServicesError("balancer: no services found");
      kept.set(best.id, (kept.get(best.id) ?? 0) - total);
      owed = kept;
      return best;
    },
  };
}

function pick(from: readonly Instance[], place: (count: number) => number): Instance {
  const chosen = from[place(from.length)];
  if (!chosen) throw new NoServicesError("balancer: no services found");
  return chosen;
}
