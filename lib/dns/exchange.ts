import { isIPv6 } from "../runtime/ipAddress.ts";
import { connectTcp } from "../runtime/tcp.ts";
import { bindUdp } from "../runtime/udp.ts";
import { flag } from "./dnsConstants.ts";
import { DnsError } from "./dnsError.ts";
import type { Query } from "./query.ts";
import { TcpFrames, tcpFrame } from "./tcpFrames.ts";
import { parseReply, type UpstreamReply, upstreamQuery } from "./upstreamReply.ts";

export interface DnsAddress {
  hostname: string;
  port: number;
}

/**
 * Asks one server: by UDP from a fresh port with a random id, and again by TCP when the answer was cut (TC).
 * Replies from elsewhere, with another id or question, are passed over until the timeout.
 * @throws {DnsError} timeout, bad_reply; {Error} ECONNREFUSED, ... from TCP
 */
export async function exchange(upstream: DnsAddress, query: Query, timeoutMs: number): Promise<UpstreamReply> {
  const reply = await overUdp(upstream, query, timeoutMs);
  return reply.flags & flag.TC ? overTcp(upstream, query, timeoutMs) : reply;
}

function randomId(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
}

async function overUdp(upstream: DnsAddress, query: Query, timeoutMs: number): Promise<UpstreamReply> {
  const id = randomId();
  const answered = Promise.withResolvers<UpstreamReply>();
  const socket = await bindUdp(
    { hostname: isIPv6(upstream.hostname) ? "::" : "0.0.0.0", port: 0 },
    (bytes, port, from) => {
      if (port !== upstream.port || !sameAddress(from, upstream.hostname)) return;
      try {
        answered.resolve(parseReply(bytes.slice(), id, query));
      } catch {
        // Not the reply to this question: perhaps forged. The true one may still come.
      }
    },
  );
  const timer = setTimeout(
    () => answered.reject(new DnsError("timeout", `${label(upstream)} did not answer`)),
    timeoutMs,
  );
  try {
    socket.send(upstreamQuery(query, id), upstream.port, upstream.hostname);
    return await answered.promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

async function overTcp(upstream: DnsAddress, query: Query, timeoutMs: number): Promise<UpstreamReply> {
  const id = randomId();
  const signal = AbortSignal.timeout(timeoutMs);
  const timedOut = () => new DnsError("timeout", `${label(upstream)} did not answer by TCP`);
  const socket = await connectTcp(upstream, signal).catch((error: unknown) => {
    throw signal.aborted ? timedOut() : error;
  });
  const answered = Promise.withResolvers<UpstreamReply>();
  const frames = new TcpFrames();
  const expire = () => answered.reject(timedOut());
  signal.addEventListener("abort", expire, { once: true });
  socket.handlers = {
    data(bytes) {
      for (const message of frames.push(bytes)) {
        try {
          answered.resolve(parseReply(message, id, query));
        } catch (error) {
          answered.reject(error);
        }
      }
    },
    close: () =>
      answered.reject(new DnsError("bad_reply", `${label(upstream)} closed the connection without an answer`)),
  };
  try {
    socket.write(tcpFrame(upstreamQuery(query, id)));
    socket.resume();
    return await answered.promise;
  } finally {
    signal.removeEventListener("abort", expire);
    socket.destroy();
  }
}

function label(upstream: DnsAddress): string {
  return isIPv6(upstream.hostname)
    ? `[${upstream.hostname}]:${upstream.port}`
    : `${upstream.hostname}:${upstream.port}`;
}

function sameAddress(a: string, b: string): boolean {
  return a === b || a.replace(/^::ffff:/i, "") === b || (isIPv6(b) && a.split("%")[0] === b.split("%")[0]);
}
