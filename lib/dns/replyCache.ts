import type { UpstreamReply } from "./upstreamReply.ts";

/** Upstream replies by question for as long as their TTLs allow; the least recently used goes first. */
export class ReplyCache {
  readonly #entries = new Map<string, { reply: UpstreamReply; at: number }>();
  readonly #limit: number;

  /** @param limit how many replies; 0 keeps none */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `now` in ms. */
  get(key: string, now: number): { reply: UpstreamReply; age: number } | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    const age = Math.floor((now - entry.at) / 1000);
    if (age < 0 || now - entry.at >= entry.reply.cacheFor * 1000) return undefined;
    this.#entries.set(key, entry);
    return { reply: entry.reply, age };
  }

  set(key: string, reply: UpstreamReply, now: number): void {
    if (reply.cacheFor <= 0 || this.#limit === 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { reply, at: now });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
    }
  }

  get size(): number {
    return this.#entries.size;
  }
}
