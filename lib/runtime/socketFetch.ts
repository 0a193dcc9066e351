import { type Fetch, type FetchInit, fetchVia, type Transport } from "./fetchVia.ts";
import { createHttpConnection, type HttpConnection, HttpConnectionError } from "./httpConnection.ts";
import { runtime } from "./runtime.ts";
import { connectTcp, type TcpAddress } from "./tcp.ts";

/** Connections that wait for the next request; of one that waits longer, in ms, the peer or a firewall may have lost sight. */
const maxIdle = 16;
const maxIdleMs = 60_000;

/**
 * {@link fetchVia} for those who are in a hurry: requests are written, and answers read, on the thread that asks. Bun's own `fetch` does
 * that on another, and each request and each answer then waits for a processor once more.
 *
 * Plain HTTP/1.1 without a proxy; what it does not do goes by `fetchVia`: TLS, a proxy in the environment, a streamed body, redirects, and
 * any runtime but Bun. Connections are kept and used again, but not for POST nor with `keepalive: false`. It has no time limit of its
 * own: pass a signal.
 *
 * @throws {HttpConnectionError} the connection was closed, or what answers is no HTTP; what connecting throws ({@link connectTcp})
 *
 * @example
 * const docker = socketFetch({ unix: "/var/run/docker.sock" });
 * const version = await (await docker("http://docker/version", { signal: AbortSignal.timeout(5000) })).json();
 */
export function socketFetch(transport: Transport): Fetch {
  const otherwise = fetchVia(transport);
  const { unix } = transport;
  if (runtime !== "bun" || transport.tls || (unix === undefined && hasProxy(process.env))) return otherwise;
  const pool = new Map<string, Idle[]>();
  const targets = new Targets();

  return async (url, init = {}) => {
    const target = targets.of(url);
    const { method = "GET", body, keepalive, redirect } = init;
    const signal = init.signal ?? undefined;
    const isPlain = body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array;
    if (!target || !isPlain) return await otherwise(url, init);
    signal?.throwIfAborted();
    const isOnce = keepalive === false;
    const bytes = requestBytes(method, target, linesOf(init.headers), body ?? undefined, isOnce);
    const request = { method, bytes, signal, ...askedOf(init) };

    const idle = (pool.get(target.host) ?? pool.set(target.host, []).get(target.host)) as Idle[];
    const pooled = isOnce ? undefined : idle;
    const kept = isOnce || method === "POST" ? undefined : takeIdle(idle);
    let response: Response;
    try {
      response = await (kept ?? (await connect(target, unix, pooled, signal))).exchange(request);
    } catch (error) {
      // It was closed while it waited: these methods are safe to repeat (RFC 9110, 9.2.2).
      if (!kept || !(error instanceof HttpConnectionError && error.isUnanswered)) throw error;
      response = await (await connect(target, unix, pooled, signal)).exchange(request);
    }
    const isRedirect = response.status >= 301 && response.status <= 308 && response.headers.has("location");
    if (!isRedirect || redirect === "manual") return response;
    await response.body?.cancel();
    return await otherwise(url, init);
  };
}

function askedOf({ sink, gather }: FetchInit): Pick<FetchInit, "sink" | "gather"> {
  return { ...(sink ? { sink } : {}), ...(gather === undefined ? {} : { gather }) };
}

interface Target {
  host: string;
  hostname: string;
  port: number;
  /** With the query. */
  path: string;
}

/** A path that is as it would be sent: nothing in it is to be encoded, and no segment of it is a dot. */
const plainPath = /^(?:\/(?!\.|%2[eE])[\w.~%:@!$&()*+,;=-]*)+(?:\?[\w.~%:@!$&()*+,;=/?-]+)?$/;
/** One that is the same in any URL. */
const plainOrigin = /^http:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;
/** Hosts remembered. */
const maxHosts = 64;

/** Reads URLs; most are of one host, and of that all is known but the path. */
class Targets {
  readonly #hosts = new Map<string, Omit<Target, "path">>();

  /** undefined: it is not plain HTTP. @throws {TypeError} it is no URL */
  of(url: string): Target | undefined {
    const end = url.indexOf("/", 7);
    const origin = url.slice(0, end);
    const path = url.slice(end);
    const known = end < 0 ? undefined : this.#hosts.get(origin);
    if (known && plainPath.test(path)) return { ...known, path };
    const { protocol, username, host, hostname, port, pathname, search } = new URL(url);
    if (protocol !== "http:" || username !== "") return undefined;
    const found = { host, hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || 80) };
    if (this.#hosts.size >= maxHosts) this.#hosts.clear();
    if (end > 0 && plainOrigin.test(origin)) this.#hosts.set(origin, found);
    return { ...found, path: pathname + search };
  }
}

interface Idle {
  connection: HttpConnection;
  /** performance.now() */
  since: number;
}

function takeIdle(idle: Idle[]): HttpConnection | undefined {
  for (let last = idle.pop(); last; last = idle.pop()) {
    if (last.connection.closed) continue;
    if (performance.now() - last.since < maxIdleMs) return last.connection;
    last.connection.close();
  }
  return undefined;
}

async function connect(
  target: Target,
  unix: string | undefined,
  idle: Idle[] | undefined,
  signal: AbortSignal | undefined,
): Promise<HttpConnection> {
  const address: TcpAddress = unix === undefined ? { hostname: target.hostname, port: target.port } : { unix };
  const socket = await connectTcp(address, signal ?? new AbortController().signal);
  const connection = createHttpConnection(socket, () => {
    if (!idle) connection.close();
    else if (idle.push({ connection, since: performance.now() }) > maxIdle) idle.shift()?.connection.close();
  });
  return connection;
}

function requestBytes(
  method: string,
  { host, path }: Target,
  headerLines: string,
  body: string | Uint8Array | undefined,
  isOnce: boolean,
): Uint8Array {
  const content = typeof body === "string" ? Buffer.from(body) : body;
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${headerLines}`;
  if (isOnce) head += "connection: close\r\n";
  if (content || (method !== "GET" && method !== "HEAD")) head += `content-length: ${content?.byteLength ?? 0}\r\n`;
  const start = Buffer.from(`${head}\r\n`, "latin1");
  return content ? Buffer.concat([start, content]) : start;
}

/** @throws {TypeError} a header that would not be one line */
function linesOf(headers: RequestInit["headers"]): string {
  let lines = "";
  for (const [name, value] of isPlainHeaders(headers) ? Object.entries(headers) : new Headers(headers)) {
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** As nearly all are: nothing about them is to be checked or changed. */
function isPlainHeaders(headers: RequestInit["headers"]): headers is Record<string, string> {
  if (!headers || Symbol.iterator in headers) return false;
  return Object.entries(headers).every(([name, value]) => /^[a-z-]+$/.test(name) && /^[!-~]+(?: [!-~]+)*$/.test(value));
}

/** Which variables the runtime's own `fetch` heeds for plain HTTP. */
function hasProxy(env: Readonly<Record<string, string | undefined>>): boolean {
  return ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].some((name) => (env[name] ?? "") !== "");
}
