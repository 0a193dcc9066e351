import { runtime } from "./runtime.ts";

/** How requests travel; everything absent means plain TCP. */
export interface Transport {
  /** Path of a unix socket; the URL's host is then only a name. */
  unix?: string;
  /** PEM texts. `serverName` is not supported by every runtime and so is left out. */
  tls?: { ca?: string; cert?: string; key?: string; rejectUnauthorized?: boolean };
}

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

interface DenoHttp {
  createHttpClient(options: Record<string, unknown>): unknown;
}

/**
 * A `fetch` over a unix socket or with client certificates. It has no time limit of its own: pass a signal.
 *
 * @example
 * const docker = fetchVia({ unix: "/var/run/docker.sock" });
 * const version = await (await docker("http://docker/version", { signal: AbortSignal.timeout(5000) })).json();
 */
export function fetchVia(transport: Transport): Fetch {
  if (runtime === "deno") {
    const { createHttpClient } = (globalThis as unknown as { Deno: DenoHttp }).Deno;
    const client = createHttpClient({
      ...(transport.unix ? { proxy: { transport: "unix", path: transport.unix } } : {}),
      ...(transport.tls?.ca ? { caCerts: [transport.tls.ca] } : {}),
      ...(transport.tls?.cert ? { cert: transport.tls.cert, key: transport.tls.key } : {}),
    });
    return (url, init) => fetch(url, { ...init, client } as RequestInit);
  }
  const extra = {
    // Bun ends a response that is silent for five minutes; event streams are.
    timeout: false,
    ...(transport.unix ? { unix: transport.unix } : {}),
    ...(transport.tls ? { tls: transport.tls } : {}),
  };
  return (url, init) => fetch(url, { ...init, ...extra } as RequestInit);
}
