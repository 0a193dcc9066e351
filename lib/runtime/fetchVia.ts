import { runtime } from "./runtime.ts";

/** How requests travel; everything absent means plain TCP. */
export interface Transport {
  /** Path of a unix socket; the URL's host is then only a name. */
  unix?: string;
  /** PEM texts. `serverName` is not supported by every runtime and so is left out. */
  tls?: { ca?: string; cert?: string; key?: string; rejectUnauthorized?: boolean };
}

export type Fetch = (url: string, init?: FetchInit) => Promise<Response>;

/** What socketFetch can do besides; elsewhere it has no effect. */
export interface FetchInit extends RequestInit {
  /**
   * Takes the body of an answer with 2xx as it comes, on the turn in which it comes; the response's own body has what was not taken:
   * nothing, or all of it. What it throws ends the connection, and the response's body with it.
   */
  sink?: (bytes: Uint8Array) => void;
  /** Resolves when the answer is whole, unless its body is larger than so many bytes; `wholeBody` then has it. */
  gather?: number;
}

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
