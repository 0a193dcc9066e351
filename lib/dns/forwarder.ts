import { networkInterfaces } from "node:os";
import { isIP } from "../runtime/ipAddress.ts";
import { rcode } from "./dnsConstants.ts";
import { DnsError } from "./dnsError.ts";
import { type DnsAddress, exchange } from "./exchange.ts";
import type { Query } from "./query.ts";
import { ReplyCache } from "./replyCache.ts";
import type { UpstreamReply } from "./upstreamReply.ts";

export interface ForwarderOptions {
  /** Tried in order. */
  upstreams: readonly DnsAddress[];
  /** Per upstream and transport. Default 2,000. */
  tryTimeoutMs?: number;
  /** Replies kept. Default 2,048. */
  cacheSize?: number;
  /** Questions waiting for upstreams at once; more are refused with SERVFAIL. Default 512. */
  maxInFlight?: number;
  now?: () => number;
}

/** Resolves what is not ours through other servers, with a cache; the same question asked twice at once goes out once. */
export class Forwarder {
  readonly #options: Required<ForwarderOptions>;
  readonly #cache: ReplyCache;
  readonly #inFlight = new Map<string, Promise<UpstreamReply>>();

  constructor(options: ForwarderOptions) {
    this.#options = { tryTimeoutMs: 2000, cacheSize: 2048, maxInFlight: 512, now: Date.now, ...options };
    this.#cache = new ReplyCache(this.#options.cacheSize);
  }

  get upstreams(): readonly DnsAddress[] {
    return this.#options.upstreams;
  }

  /** @throws {DnsError} busy, timeout, bad_reply: no upstream answered */
  async resolve(query: Query): Promise<{ reply: UpstreamReply; age: number }> {
    const key = cacheKey(query);
    const cached = this.#cache.get(key, this.#options.now());
    if (cached) return cached;
    let asking = this.#inFlight.get(key);
    if (!asking) {
      if (this.#inFlight.size >= this.#options.maxInFlight)
        throw new DnsError("busy", "too many questions wait for upstreams");
      asking = this.#ask(query).finally(() => this.#inFlight.delete(key));
      this.#inFlight.set(key, asking);
      const reply = await asking;
      this.#cache.set(key, reply, this.#options.now());
      return { reply, age: 0 };
    }
    return { reply: await asking, age: 0 };
  }

  async #ask(query: Query): Promise<UpstreamReply> {
    let failed: UpstreamReply | undefined;
    let reason: unknown = new DnsError("timeout", "there are no upstreams");
    for (const upstream of this.#options.upstreams) {
      try {
        const reply = await exchange(upstream, query, this.#options.tryTimeoutMs);
        if (reply.rcode !== rcode.SERVFAIL && reply.rcode !== rcode.REFUSED) return reply;
        failed ??= reply;
      } catch (error) {
        reason = error;
      }
    }
    if (failed) return failed;
    throw reason;
  }
}

function cacheKey(query: Query): string {
  const { name, type, class: cls } = query.question;
  return `${name.toLowerCase()}\0${type}\0${cls}\0${query.edns?.dnssecOk ? 1 : 0}${query.flags & 0x10 ? 1 : 0}`;
}

/**
 * An upstream as users write it: `8.8.8.8`, `8.8.8.8:53`, `fd00::1`, `[fd00::1]:5353`. Only IP literals: a name would need DNS.
 * @throws {DnsError} bad_address
 */
export function parseDnsAddress(text: string): DnsAddress {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare)) return { hostname: bare, port: 53 };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (!isIP(hostname) || !(port >= 1 && port <= 65_535)) {
    throw new DnsError("bad_address", `"${text}" is no DNS server address: IP or IP:PORT is wanted`);
  }
  return { hostname, port };
}

/** The name servers of a resolv.conf's text, at most three as the C library takes; lines that name none are passed over. */
export function resolvConfServers(text: string): DnsAddress[] {
  const servers: DnsAddress[] = [];
  for (const line of text.split("\n")) {
    const address = /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
    if (address && isIP(address)) servers.push({ hostname: address, port: 53 });
  }
  return servers.slice(0, 3);
}

/** `upstreams` without those that are our own listening addresses: a server that asks itself never answers. */
export function withoutSelf(upstreams: readonly DnsAddress[], listening: readonly DnsAddress[]): DnsAddress[] {
  const local = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((entry) => entry.address)),
  );
  const isOurs = (upstream: DnsAddress) =>
    listening.some((own) => {
      if (own.port !== upstream.port) return false;
      if (own.hostname === upstream.hostname) return true;
      const everywhere = own.hostname === "0.0.0.0" || own.hostname === "::";
      return everywhere && (local.has(upstream.hostname) || upstream.hostname.startsWith("127."));
    });
  return upstreams.filter((upstream) => !isOurs(upstream));
}
