import type { Logger } from "../../lib/cli/logger.ts";
import type { AppliedRoute } from "./planes/plane.ts";

/** One that refuses is tried again every few seconds: so long without a refusal, and the next one is news. */
const quietMs = 60_000;

/**
 * Logs backends that refuse connects and are left out, each once for as long as it goes on, however many routes have it: one that is
 * listed and dead for hours does not fill the log.
 */
export function sayRefusing(
  log: Pick<Logger, "warn">,
  now: () => number = Date.now,
): (table: readonly Pick<AppliedRoute, "refusing" | "route">[]) => void {
  const lastSeen = new Map<string, number>();
  return (table) => {
    const at = now();
    for (const [backend, seen] of lastSeen) if (at - seen >= quietMs) lastSeen.delete(backend);
    for (const { refusing = [], route } of table) {
      for (const { ip, port } of refusing) {
        const backend = `${ip}:${port}`;
        if (!lastSeen.has(backend))
          log.warn("a backend refuses connects and is left out", { backend, target: route.target });
        lastSeen.set(backend, at);
      }
    }
  };
}
