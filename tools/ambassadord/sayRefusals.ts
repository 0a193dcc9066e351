import type { Logger } from "../../lib/cli/logger.ts";
import type { RefusedConnection } from "./planes/socket/socketPlane.ts";

const quietMs = 5000;
const mostKeys = 1024;

/**
 * Logs closed connections with caller and reason: the first of its kind at once, then one line in 5 s that counts the others, so that
 * a caller that tries without end does not fill the log.
 */
export function sayRefusals(log: Pick<Logger, "warn">, now: () => number = Date.now): (one: RefusedConnection) => void {
  const said = new Map<string, { at: number; unsaid: number }>();
  return ({ caller, port, reason, why }) => {
    const key = `${caller} ${port} ${reason}`;
    const last = said.get(key);
    if (last && now() - last.at < quietMs) {
      last.unsaid++;
      return;
    }
    if (said.size >= mostKeys) said.clear();
    said.set(key, { at: now(), unsaid: 0 });
    log.warn("connection closed", {
      caller,
      port,
      reason,
      why,
      ...(last?.unsaid ? { alsoSinceLast: last.unsaid } : {}),
    });
  };
}
