import type { Discovery } from "../../../../lib/discovery/discovery.ts";
import { parseGoDuration } from "./goDuration.ts";
import { ConsulRefusal } from "./refusal.ts";

const defaultWaitMs = 300_000;
const maxWaitMs = 600_000;

/**
 * A blocking query (https://developer.hashicorp.com/consul/api-docs/features/blocking): with `index`, waits until the service
 * (undefined: the list of services) has changed since, or `wait` is over; returns its index then. Without, at once.
 * A service that is absent is waited for too, and changes of others wake nobody.
 * @throws {ConsulRefusal} 400
 */
export async function settledIndex(
  discovery: Pick<Discovery, "index" | "changed">,
  service: string | undefined,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<number> {
  const asked = query.get("index") ?? "";
  if (!/^\d{0,20}$/.test(asked)) throw new ConsulRefusal(400, "Invalid index");
  const after = Number(asked);
  const wait = query.get("wait");
  const waitMs = wait ? parseWait(wait) : defaultWaitMs;
  if (after === 0) return Math.max(1, await discovery.index(service));
  const capped = Math.min(waitMs === 0 ? defaultWaitMs : waitMs, maxWaitMs);
  // As Consul's: up to a sixteenth longer, so that those who came together do not come back together.
  const timeoutMs = capped * (1 + Math.random() / 16);
  return Math.max(1, await discovery.changed(service, after, { timeoutMs, signal }));
}

/** "10s"; a bare number is seconds. */
function parseWait(text: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : parseGoDuration(text);
  if (ms === undefined) throw new ConsulRefusal(400, "Invalid wait time");
  return ms;
}
