import { DiscoveryError, type DiscoveryErrorCode, discoveryStatus } from "../discoveryError.ts";

interface ServersOptions {
  urls: readonly string[];
  token: string | undefined;
  requestTimeoutMs: number;
  totalTimeoutMs: number;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  signal: AbortSignal;
}

export interface Ask {
  method: "GET" | "PUT" | "DELETE" | "POST";
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** The server was asked to wait so long before it answers: the limits are longer by it. */
  waitMs?: number;
  signal?: AbortSignal;
}

/** Several daemons as one: asks the one that answered last, then the others, in rounds until the total time is over. */
export class Servers {
  readonly #options: ServersOptions;
  #pinned = 0;

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  /** @throws {DiscoveryError} what the server refused; service_unavailable when none answered in time. */
  async ask({ method, path, body, headers, waitMs = 0, ...ask }: Ask): Promise<Response> {
    const { requestTimeoutMs, totalTimeoutMs } = this.#options;
    const signal = ask.signal ? AbortSignal.any([ask.signal, this.#options.signal]) : this.#options.signal;
    const deadline = performance.now() + totalTimeoutMs + waitMs;
    for (let last: unknown; ; ) {
      for (const base of this.#order()) {
        const left = Math.max(1, deadline - performance.now());
        const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.min(requestTimeoutMs + waitMs, left))]);
        try {
          const answer = await this.#fetch(base, method, path, limit, body, headers);
          if (answer.ok) return answer;
          const problem = await problemOf(answer);
          if (!problem.retry) throw problem;
          last = problem;
        } catch (error) {
          if (error instanceof DiscoveryError && !error.retry) throw error;
          if (signal.aborted) throw new DiscoveryError("service_unavailable", "discoverd: the client is closed");
          last = error;
        }
        this.#moveOn(base);
      }
      if (performance.now() + 100 >= deadline) {
        if (last instanceof DiscoveryError) throw last;
        throw new DiscoveryError(
          "service_unavailable",
          `discoverd: no server answers at ${this.#options.urls.join(", ")}: ${reason(last)}`,
          {
            cause: last,
          },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** One try at one server, without a time limit on the body. @throws {DiscoveryError} */
  async stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const base = this.#options.urls[this.#pinned % this.#options.urls.length] ?? "";
    const slow = new AbortController();
    const timer = setTimeout(() => slow.abort(), this.#options.requestTimeoutMs);
    try {
      const limit = AbortSignal.any([signal, slow.signal]);
      const answer = await this.#fetch(base, "GET", path, limit, undefined, headers);
      if (answer.ok) return answer;
      throw await problemOf(answer);
    } catch (error) {
      this.#moveOn(base);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The stream that was being read has ended: try another server next. */
  next(): void {
    this.#pinned++;
  }

  #order(): string[] {
    const { urls } = this.#options;
    return urls.map((_, i) => urls[(this.#pinned + i) % urls.length] ?? "");
  }

  #moveOn(failed: string): void {
    const { urls } = this.#options;
    if (urls[this.#pinned % urls.length] === failed) this.#pinned++;
  }

  #fetch(
    base: string,
    method: string,
    path: string,
    signal: AbortSignal,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const { token, fetch } = this.#options;
    return fetch(base + path, {
      method,
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
    });
  }
}

async function problemOf(answer: Response): Promise<DiscoveryError> {
  const text = await answer.text();
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof message === "string") return new DiscoveryError(codeOf(code, answer.status), message);
  } catch {
    // Not discoverd's JSON (a proxy's page): told below by its status.
  }
  return new DiscoveryError(codeOf(undefined, answer.status), `discoverd: the server answered ${answer.status}`);
}

function codeOf(code: unknown, status: number): DiscoveryErrorCode {
  if (typeof code === "string" && Object.hasOwn(discoveryStatus, code)) return code as DiscoveryErrorCode;
  return status === 429 || status >= 502 ? "service_unavailable" : "unknown_error";
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
