import type { Discovery } from "../../../../lib/discovery/discovery.ts";
import { parseGoDuration } from "./goDuration.ts";
import { ConsulRefusal } from "./refusal.ts";

const defaultWaitMs = 300_000;
const maxWaitMs = 600_000;

/** How long a request waits: not at all where `after` is 0, else until there is something after it, or until `deadline`. */
export interface Waiting {
  after: number;
  /** On performance.now()'s clock. */
  deadline: number;
}

/**
 * What `index` and `wait` ask for (https://developer.hashicorp.com/consul/api-docs/features/blocking).
 * @throws {ConsulRefusal} 400
 */
export function waitingOf(query: URLSearchParams): Waiting {
  const asked = query.get("index") ?? "";
  if (!/^\d{0,20}$/.test(asked)) throw new ConsulRefusal(400, "Invalid index");
  const wait = query.get("wait");
  const waitMs = wait ? parseWait(wait) : 0;
  const capped = Math.min(waitMs === 0 ? defaultWaitMs : waitMs, maxWaitMs);
  // As Consul's: up to a sixteenth longer, so that those who came together do not come back together.
  return { after: Number(asked), deadline: performance.now() + capped * (1 + Math.random() / 16) };
}

/**
 * The service's index (undefined: that of the list of services), after waiting as asked. A service that is absent is waited for
 * too, and changes of others wake nobody.
 */
export async function settledIndex(
  discovery: Pick<Discovery, "index" | "changed">,
  service: string | undefined,
  { after, deadline }: Waiting,
  signal: AbortSignal,
): Promise<number> {
  if (after === 0) return Math.max(1, await discovery.index(service));
  const timeoutMs = Math.max(0, deadline - performance.now());
  return Math.max(1, await discovery.changed(service, after, { timeoutMs, signal }));
}

/** "10s"; a bare number is seconds. */
function parseWait(text: string): number {
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : parseGoDuration(text);
  if (ms === undefined) throw new ConsulRefusal(400, "Invalid wait time");
  return ms;
}
