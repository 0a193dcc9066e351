import { type Fetch, fetchVia, type Transport } from "./fetchVia.ts";
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

  return async (url, init = {}) => {
    const target = new URL(url);
    const { method = "GET", body, keepalive, redirect } = init;
    const signal = init.signal ?? undefined;
    const isPlain = body === undefined || body === null || typeof body === "string" || body instanceof Uint8Array;
    if (target.protocol !== "http:" || target.username !== "" || !isPlain) return await otherwise(url, init);
    signal?.throwIfAborted();
    const isOnce = keepalive === false;
    const bytes = requestBytes(method, target, new Headers(init.headers), body ?? undefined, isOnce);
    const request = { method, bytes, signal };

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
  target: URL,
  unix: string | undefined,
  idle: Idle[] | undefined,
  signal: AbortSignal | undefined,
): Promise<HttpConnection> {
  const hostname = target.hostname.replace(/^\[(.*)\]$/, "$1");
  const address: TcpAddress = unix === undefined ? { hostname, port: Number(target.port || 80) } : { unix };
  const socket = await connectTcp(address, signal ?? new AbortController().signal);
  const connection = createHttpConnection(socket, () => {
    if (!idle) connection.close();
    else if (idle.push({ connection, since: performance.now() }) > maxIdle) idle.shift()?.connection.close();
  });
  return connection;
}

/** @throws {TypeError} a header that would not be one line */
function requestBytes(
  method: string,
  { host, pathname, search }: URL,
  headers: Headers,
  body: string | Uint8Array | undefined,
  isOnce: boolean,
): Uint8Array {
  const content = typeof body === "string" ? Buffer.from(body) : body;
  let head = `${method} ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  if (isOnce) head += "connection: close\r\n";
  if (content || (method !== "GET" && method !== "HEAD")) head += `content-length: ${content?.byteLength ?? 0}\r\n`;
  const start = Buffer.from(`${head}\r\n`, "latin1");
  return content ? Buffer.concat([start, content]) : start;
}

/** Which variables the runtime's own `fetch` heeds for plain HTTP. */
function hasProxy(env: Readonly<Record<string, string | undefined>>): boolean {
  return ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].some((name) => (env[name] ?? "") !== "");
}
