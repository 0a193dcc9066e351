import { runtime } from "./runtime.ts";

export interface HttpListenOptions {
  /** Address to bind. Default "127.0.0.1". */
  hostname?: string;
  /** 0 picks a free one. */
  port: number;
  /** PEM texts; with `ca` every client must show a certificate of it (Bun only). */
  tls?: { cert: string; key: string; ca?: string };
  /** Bytes of a request's body beyond which the runtime itself refuses. Default 1 MiB + 64 KiB (lib/http refuses at 1 MiB). */
  maxBodyBytes?: number;
}

export interface HttpServer {
  readonly hostname: string;
  readonly port: number;
  readonly url: string;
  /** Stops listening, lets open requests end for `graceMs` (default 0), then cuts them. */
  stop(graceMs?: number): Promise<void>;
}

export interface RequestInfo {
  /** The peer's address, "" when unknown. */
  remoteAddress: string;
}

export type HttpHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

interface DenoServe {
  serve(
    options: Record<string, unknown>,
    handler: (request: Request, info: { remoteAddr: { hostname?: string } }) => Response | Promise<Response>,
  ): { addr: { port: number }; shutdown(): Promise<void> };
}

/**
 * Serves HTTP/1.1.
 * @throws {Error} with `code` "EADDRINUSE" or "EACCES" when the address cannot be bound.
 *
 * @example
 * const server = await serveHttp({ port: 0 }, () => new Response("hello"));
 * await server.stop();
 */
export async function serveHttp(options: HttpListenOptions, handler: HttpHandler): Promise<HttpServer> {
  const hostname = options.hostname ?? "127.0.0.1";
  return runtime === "deno" ? serveDeno(hostname, options, handler) : serveBun(hostname, options, handler);
}

function serveBun(hostname: string, options: HttpListenOptions, handler: HttpHandler): HttpServer {
  const server = Bun.serve({
    hostname,
    port: options.port,
    ...(options.tls
      ? { tls: { ...options.tls, ...(options.tls.ca ? { requestCert: true, rejectUnauthorized: true } : {}) } }
      : {}),
    maxRequestBodySize: options.maxBodyBytes ?? (1 << 20) + (1 << 16),
    // Streams are kept alive by their own comments; Bun's limit (255 s at most) would cut them.
    idleTimeout: 0,
    fetch: (request, server) =>
      handler(request, {
        get remoteAddress() {
          return server.requestIP(request)?.address ?? "";
        },
      }),
  });
  const port = server.port ?? options.port;
  return {
    hostname,
    port,
    url: urlOf(options.tls ? "https" : "http", hostname, port),
    async stop(graceMs = 0) {
      if (graceMs > 0) await Promise.race([server.stop(false), after(graceMs)]);
      await server.stop(true);
    },
  };
}

async function serveDeno(hostname: string, options: HttpListenOptions, handler: HttpHandler): Promise<HttpServer> {
  if (options.tls?.ca) throw new Error("this runtime cannot ask clients for certificates");
  const { serve } = (globalThis as unknown as { Deno: DenoServe }).Deno;
  const cut = new AbortController();
  const server = serve(
    {
      hostname,
      port: options.port,
      signal: cut.signal,
      onListen: () => undefined,
      ...(options.tls ? { cert: options.tls.cert, key: options.tls.key } : {}),
    },
    (request, info) => handler(request, { remoteAddress: info.remoteAddr.hostname ?? "" }),
  );
  return {
    hostname,
    port: server.addr.port,
    url: urlOf(options.tls ? "https" : "http", hostname, server.addr.port),
    async stop(graceMs = 0) {
      let closed = false;
      const shutdown = async () => {
        await server.shutdown();
        closed = true;
      };
      if (graceMs > 0) await Promise.race([shutdown(), after(graceMs)]);
      if (!closed) cut.abort(); // Deno throws "Bad resource ID" when it closes a listener twice
    },
  };
}

function urlOf(scheme: string, hostname: string, port: number): string {
  const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "[::1]" : hostname;
  return `${scheme}://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref?.();
  });
}
