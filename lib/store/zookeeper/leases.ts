import { connectZooKeeper, type ZooKeeper, type ZooKeeperOptions } from "../../zookeeper/index.ts";
import type { Lease, LeaseId } from "../store.ts";
import { StoreError } from "../storeError.ts";
import { hasCode, storeErrorOf } from "./storeErrorOf.ts";

/** Sessions, and so connections, that one store holds at most. */
const maxLeases = 64;
/** A server counts sessions in ticks; 2 s is its default. */
const slackMs = 3000;

type Connect = Pick<ZooKeeperOptions, "servers" | "auth" | "tls" | "log">;

interface Held {
  client: ZooKeeper;
  ttlMs: number;
}

/** Leases as sessions of their own: each is a connection that says nothing unless it is asked to. */
export class Leases {
  readonly #connect: Connect;
  readonly #timeoutMs: number;
  /** Since when the ensemble has answered without a break, in ms since the epoch; undefined while it does not. */
  readonly #answersSince: () => number | undefined;
  readonly #held = new Map<LeaseId, Held>();
  readonly #opening = new Set<ZooKeeper>();

  constructor(connect: Connect, timeoutMs: number, answersSince: () => number | undefined) {
    this.#connect = connect;
    this.#timeoutMs = timeoutMs;
    this.#answersSince = answersSince;
  }

  /** @throws {StoreError} invalid when there are too many; unavailable, timeout, unauthorized */
  async grant(ttlMs: number): Promise<Lease> {
    if (this.#held.size + this.#opening.size >= maxLeases) {
      throw new StoreError("invalid", `more than ${maxLeases} leases: each is a connection to ZooKeeper`);
    }
    const client = connectZooKeeper({
      ...this.#connect,
      sessionTimeoutMs: Math.min(Math.ceil(ttlMs), 0x7fffffff),
      heartbeats: "manual",
      // A connection that is half-open must be left while there is time for another.
      requestTimeoutMs: Math.min(this.#timeoutMs, Math.max(1000, ttlMs / 2)),
    });
    this.#opening.add(client);
    try {
      await client.ping();
      const { state } = client;
      if (state.state !== "connected")
        throw new StoreError("unavailable", "ZooKeeper: the session's connection broke at once");
      this.#held.set(state.sessionId, { client, ttlMs: state.timeoutMs });
      return { id: state.sessionId, ttlMs: state.timeoutMs };
    } catch (error) {
      client.abandon(); // a session that was made runs out
      throw storeErrorOf(error);
    } finally {
      this.#opening.delete(client);
    }
  }

  /** @throws {StoreError} unavailable, timeout */
  async keepAlive(leases: readonly LeaseId[]): Promise<Map<LeaseId, number | "expired">> {
    return new Map(await Promise.all(leases.map(async (id) => [id, await this.#renew(id)] as const)));
  }

  /** The connection whose session a lease is. @throws {StoreError} lease_expired */
  client(lease: LeaseId): ZooKeeper {
    const held = this.#held.get(lease);
    if (!held) throw new StoreError("lease_expired", `lease ${lease} has run out, or is another process'`);
    return held.client;
  }

  /** @throws {StoreError} when it could not be ended: it then runs out */
  async revoke(lease: LeaseId): Promise<void> {
    const held = this.#held.get(lease);
    if (!held) return;
    try {
      await held.client.close();
    } catch (error) {
      throw storeErrorOf(error);
    } finally {
      this.#held.delete(lease);
    }
  }

  /** Ends the connections; the sessions run out by themselves. */
  close(): void {
    for (const { client } of this.#held.values()) client.abandon();
    for (const client of this.#opening) client.abandon();
    this.#held.clear();
  }

  async #renew(id: LeaseId): Promise<number | "expired"> {
    const held = this.#held.get(id);
    if (!held) return "expired";
    try {
      await held.client.ping();
      return held.ttlMs;
    } catch (error) {
      if (!hasCode(error, "SESSIONEXPIRED") && !this.#mustHaveExpired(held)) throw storeErrorOf(error);
      held.client.abandon();
      this.#held.delete(id);
      return "expired";
    }
  }

  /**
   * An ensemble whose data was wiped refuses a session for what it has seen, instead of calling it expired. One that answered
   * others for longer than the TTL, and this session not, has expired it.
   */
  #mustHaveExpired({ client, ttlMs }: Held): boolean {
    const since = this.#answersSince();
    return since !== undefined && Date.now() - Math.max(since, client.heardAt) > ttlMs + slackMs;
  }
}
