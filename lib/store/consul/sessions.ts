import type { Lease, LeaseId } from "../store.ts";
import { StoreError } from "../storeError.ts";
import type { ConsulClient } from "./consulClient.ts";
import { parseJson } from "./wire.ts";

/** Consul's most. */
const maxTtlMs = 86_400_000;
/** Renewals under way at once: each is a request of its own. */
const renewals = 16;

/** Leases as Consul's sessions: a key that a session holds is deleted with it. */
export class Sessions {
  readonly #client: ConsulClient;

  constructor(client: ConsulClient) {
    this.#client = client;
  }

  async create(ttlMs: number): Promise<Lease> {
    const seconds = Math.ceil(ttlMs / 1000);
    if (seconds * 1000 > maxTtlMs) throw new StoreError("invalid", `Consul's longest lease is a day, not ${ttlMs} ms`);
    const session = {
      Name: "quayside",
      TTL: `${seconds}s`,
      Behavior: "delete",
      LockDelay: "0s", // else nobody could put a key again for 15 s after its lease was lost
      NodeChecks: [], // else it would end with the agent's node
    };
    // Made twice is no harm: the one that nobody knows runs out.
    const { text } = await this.#client.call("PUT", "/v1/session/create", JSON.stringify(session), true);
    const answer = parseJson(text) as { ID?: unknown } | null;
    if (typeof answer?.ID !== "string") throw new StoreError("unavailable", "consul made a session without an id");
    return { id: answer.ID, ttlMs: seconds * 1000 };
  }

  async renew(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    const result = new Map<LeaseId, number | "expired">();
    this.#client.checkOpen();
    const waiting = [...new Set(leases)];
    const worker = async () => {
      for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) result.set(id, await this.#renewOne(id));
    };
    await Promise.all(Array.from({ length: Math.min(renewals, waiting.length) }, worker));
    return result;
  }

  async destroy(lease: LeaseId): Promise<void> {
    this.#client.checkOpen();
    checkSession(lease);
    const { status, text } = await this.#client.call("PUT", `/v1/session/destroy/${lease}`, "", true);
    if (status !== 200) throw new StoreError("unavailable", `this is not Consul: ${text.slice(0, 100)}`);
  }

  async #renewOne(id: LeaseId): Promise<number | "expired"> {
    checkSession(id);
    const { status, text } = await this.#client.call("PUT", `/v1/session/renew/${id}`, "", true);
    if (status === 404 && /session id/i.test(text)) return "expired";
    const answer = status === 200 ? parseJson(text) : undefined;
    const session: unknown = Array.isArray(answer) ? answer[0] : undefined;
    const ttl = (session as { TTL?: unknown } | undefined)?.TTL;
    if (typeof ttl !== "string") throw new StoreError("unavailable", `this is not Consul: ${text.slice(0, 100)}`);
    return durationMs(ttl);
  }
}

/** Sessions are UUIDs: another store's lease cannot exist here. @throws {StoreError} invalid */
export function checkSession(id: LeaseId): void {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    throw new StoreError("invalid", `"${id.slice(0, 50)}" is not a session id of Consul`);
  }
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations: "10s", "1m30s". A session may be answered with a longer TTL than asked. */
function durationMs(text: string): number {
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    ms += Number(amount) * (unitMs[unit ?? ""] ?? 0);
  return ms;
}
