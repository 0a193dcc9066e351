import type { TcpTls } from "../runtime/tcp.ts";
import type { WatchEvent } from "./messages.ts";

/** What a client writes its warnings to. */
export interface ZooKeeperLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** What a session is doing. */
export type SessionState =
  /** No connection: one is sought, or nobody needs one now. */
  | { state: "disconnected"; reason: string }
  /** `isNew`: the session was made just now, so nothing ephemeral exists; watches are never there after a connect. */
  | { state: "connected"; server: string; sessionId: string; timeoutMs: number; isNew: boolean }
  /** The ensemble ended the session: its ephemeral znodes are gone. Another follows when `renew` is set. */
  | { state: "expired" }
  | { state: "closed" };

/** How a client behaves. */
export interface ZooKeeperOptions {
  /** `host:port`, `[v6]:port`, or a host alone for port 2181. */
  servers: readonly string[];
  /** Asked for; the server keeps it within 2 and 20 of its ticks. Default 10,000. */
  sessionTimeoutMs?: number;
  /** Sent on each connection before anything else; `credentials` is "user:password" for digest. */
  auth?: { scheme: string; credentials: string };
  /** Goes before every path. "" (default) or "/..." without a "/" at the end; it must exist. */
  chroot?: string;
  /** PEM texts; absent means plain TCP. */
  tls?: TcpTls;
  /**
   * "auto" (default): pings keep the session. "manual": nothing is sent unasked, not even a reconnect, so that the session lives on
   * only by `ping()` and other requests.
   */
  heartbeats?: "auto" | "manual";
  /** After the session expired, begin another instead of ending. Requests that were not sent yet wait for it. Default false. */
  renew?: boolean;
  /** For a request, with waiting for a connection. Default 5000. */
  requestTimeoutMs?: number;
  /** Requests that wait or are under way; more are refused with OVERLOADED. Default 20,000. */
  maxRequests?: number;
  /** Bytes of requests that wait. Default 64 MiB. */
  maxQueuedBytes?: number;
  /** A server's frame may be so long. Default 64 MiB: the names of a million znodes. */
  maxFrameBytes?: number;
  onState?: (state: SessionState) => void;
  /** Watches that were added; called before the reply to any request that could show the change. */
  onWatch?: (event: WatchEvent) => void;
  log?: ZooKeeperLog | undefined;
}

/** @throws {RangeError} for what is no host and port */
export function parseServer(text: string): { hostname: string; port: number } {
  const [, v6, host, port = "2181"] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const hostname = v6 ?? host;
  if (hostname === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw new RangeError(`"${text}" is not HOST:PORT`);
  return { hostname, port: Number(port) };
}
