import type { Fetch, FetchInit } from "../runtime/fetchVia.ts";
import { socketFetch } from "../runtime/socketFetch.ts";
import { negotiateApiVersion } from "./apiVersion.ts";
import { boundedBody, parseJsonBytes } from "./boundedBody.ts";
import { connectionError } from "./connectionError.ts";
import { DockerError, type DockerErrorCode } from "./dockerError.ts";
import type { DockerEndpoint } from "./dockerHost.ts";
import { withDeadline } from "./withDeadline.ts";

/** What every call takes. */
export interface CallOptions {
  /** Ends the call with DockerError `aborted`. */
  signal?: AbortSignal;
  /** Until the whole answer is there (of a stream: until it begins). Default 30 s; calls that the engine works long on have longer ones. */
  timeoutMs?: number;
}

/** One request of the Engine API. */
export interface EngineRequest extends CallOptions {
  method?: "GET" | "POST" | "DELETE" | "HEAD";
  /** Below the version, as in "/containers/json". */
  path: string;
  query?: Record<string, string | number | boolean | readonly string[] | undefined>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, with `contentType`. */
  body?: ReadableStream<Uint8Array> | Uint8Array;
  /** Default "application/x-tar". */
  contentType?: string;
  /** Most bytes of an answer that is read whole. Default 16 MiB. */
  maxBytes?: number;
  /** A connection of its own, which says more about the engine than one that is kept open. Default for all but GET. */
  fresh?: boolean;
  /** As in FetchInit. */
  sink?: FetchInit["sink"];
  /** false: no version in the path. Default true. */
  versioned?: boolean;
}

/** The answer to GET /version, as much as is used. */
export interface EngineVersion {
  version: string;
  apiVersion: string;
  minApiVersion: string;
  os: string;
  arch: string;
}

/** Requests to one engine, with its API version negotiated. All throw {@link DockerError} alone. */
export interface EngineConnection {
  readonly endpoint: DockerEndpoint;
  /** The API version spoken; asks the engine when it has not been asked yet, or `again`. */
  negotiate(options?: CallOptions & { again?: boolean }): Promise<{ api: string; engine: EngineVersion }>;
  /** The answer's JSON; undefined when it has no body. */
  json(request: EngineRequest): Promise<unknown>;
  /** The answer's bytes as they come; resolves once the engine has sent its headers. Iterating to the end or leaving the loop closes it. */
  stream(request: EngineRequest): Promise<{ body: AsyncIterable<Uint8Array>; headers: Headers; close(): void }>;
}

const defaultTimeoutMs = 30_000;
const defaultMaxBytes = 16 << 20;

/** Opens no connection yet: the first call does. `fetch` is for tests. */
export function createEngineConnection(
  endpoint: DockerEndpoint,
  fetch: Fetch = socketFetch(endpoint.transport),
): EngineConnection {
  let negotiated: { api: string; engine: EngineVersion } | undefined;

  async function send(request: EngineRequest, prefix: string, signal: AbortSignal, gather?: number): Promise<Response> {
    const { method = "GET", path, json, body, contentType = "application/x-tar", fresh = method !== "GET" } = request;
    const url = `${endpoint.baseUrl}${prefix}${path}${queryText(request.query)}`;
    const headers: Record<string, string> = {};
    if (json !== undefined) headers["content-type"] = "application/json";
    else if (body !== undefined) headers["content-type"] = contentType;
    const init: FetchInit & { duplex?: "half" } = { method, headers, signal, redirect: "manual" };
    if (request.sink) init.sink = request.sink;
    if (gather !== undefined) init.gather = gather;
    if (json !== undefined) init.body = JSON.stringify(json);
    else if (body !== undefined) {
      init.body = body as BodyInit;
      if (body instanceof ReadableStream) init.duplex = "half";
    }
    // A kept connection may have been closed by the engine; only what is safe to repeat goes over one.
    if (fresh) init.keepalive = false;
    let response: Response;
    try {
      response = await fetch(url, init);
    } catch (error) {
      throw signal.aborted ? signal.reason : connectionError(error, endpoint);
    }
    if (response.status < 300) return response;
    throw await refusal(response, `${method} ${path}`);
  }

  async function askVersion(options: CallOptions): Promise<{ api: string; engine: EngineVersion }> {
    const what = `Docker at ${endpoint.name}: GET /version`;
    const raw = await withDeadline(options.timeoutMs ?? 10_000, options.signal, what, async (signal) => {
      try {
        const response = await send({ path: "/version", fresh: true }, "", signal);
        return parseJsonBytes(await boundedBody(response, 1 << 20, what), what);
      } catch (error) {
        throw signal.aborted ? signal.reason : notDocker(connectionError(error, endpoint), endpoint);
      }
    });
    const engine = readVersion(raw);
    if (!engine) throw new DockerError("not_docker", `${what}: what answers is no Docker Engine`);
    const api = negotiateApiVersion({ ApiVersion: engine.apiVersion, MinAPIVersion: engine.minApiVersion });
    return { api, engine };
  }

  /** Those who ask at the same time may ask twice; what one learns serves all after it. */
  const negotiate: EngineConnection["negotiate"] = async ({ again = false, ...options } = {}) => {
    if (!negotiated || again) negotiated = await askVersion(options);
    return negotiated;
  };

  /** Sends with the negotiated version, and once more when the engine says that it is no longer the right one. */
  async function sendVersioned(request: EngineRequest, signal: AbortSignal, gather?: number): Promise<Response> {
    if (request.versioned === false) return await send(request, "", signal, gather);
    const first = negotiated ?? (await negotiate({ signal }));
    try {
      return await send(request, `/v${first.api}`, signal, gather);
    } catch (error) {
      const outdated =
        error instanceof DockerError && error.status === 400 && /client version .* is too/.test(error.message);
      if (!outdated || request.body instanceof ReadableStream) throw error;
      const { api } = await negotiate({ signal, again: true });
      return await send(request, `/v${api}`, signal, gather);
    }
  }

  return {
    endpoint,
    negotiate,

    async json(request) {
      const what = `${request.method ?? "GET"} ${request.path}`;
      return await withDeadline(request.timeoutMs ?? defaultTimeoutMs, request.signal, what, async (signal) => {
        try {
          const most = request.maxBytes ?? defaultMaxBytes;
          const response = await sendVersioned(request, signal, most);
          const bytes = await boundedBody(response, most, what);
          return bytes.byteLength === 0 ? undefined : parseJsonBytes(bytes, what);
        } catch (error) {
          throw signal.aborted ? signal.reason : connectionError(error, endpoint);
        }
      });
    },

    async stream(request) {
      const what = `${request.method ?? "GET"} ${request.path}`;
      const life = new AbortController();
      const stop = () => life.abort(new DockerError("aborted", `${what}: stopped`));
      const { signal } = request;
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const close = () => {
        signal?.removeEventListener("abort", stop);
        if (!life.signal.aborted) stop();
      };
      const late = () =>
        life.abort(new DockerError("timeout", `${what}: no answer within ${request.timeoutMs ?? defaultTimeoutMs} ms`));
      const timer = setTimeout(late, request.timeoutMs ?? defaultTimeoutMs);
      try {
        const response = await sendVersioned(request, life.signal);
        return { headers: response.headers, close, body: bytesOf(response, life.signal, endpoint, close) };
      } catch (error) {
        close();
        throw life.signal.aborted && !(error instanceof DockerError) ? life.signal.reason : error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function* bytesOf(
  response: Response,
  signal: AbortSignal,
  endpoint: DockerEndpoint,
  close: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (response.body) for await (const chunk of response.body) yield chunk;
  } catch (error) {
    throw signal.aborted ? signal.reason : connectionError(error, endpoint);
  } finally {
    close();
  }
}

function queryText(query: EngineRequest["query"]): string {
  if (!query) return "";
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === "object") for (const each of value) search.append(name, each);
    else search.append(name, String(value));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** The error for an answer that is not a success; the engine's own words, without what they might carry beyond 1000 letters. */
async function refusal(response: Response, what: string): Promise<DockerError> {
  const { status } = response;
  let text = "";
  try {
    text = Buffer.from(await boundedBody(response, 64 << 10, what)).toString();
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) text = String(parsed.message);
  } catch {
    // Not JSON, or too long: told as it came.
  }
  return new DockerError(codeOf(status), `${what}: ${text.trim().slice(0, 1000) || `status ${status}`}`, { status });
}

function codeOf(status: number): DockerErrorCode {
  if (status === 401 || status === 403) return "forbidden";
  if (status === 404) return "not_found";
  if (status === 304 || status === 409) return "conflict";
  return status >= 500 ? "engine_error" : status >= 400 ? "bad_request" : "not_docker";
}

/** An engine never refuses GET /version: who does is something else, or wants TLS. */
function notDocker(error: DockerError, endpoint: DockerEndpoint): DockerError {
  if (error.code === "bad_answer") {
    return new DockerError("not_docker", `Docker at ${endpoint.name}: what answers is no Docker Engine`, {
      cause: error,
    });
  }
  if (error.status === undefined || error.status >= 500) return error;
  const why = /HTTP request to an HTTPS server/i.test(error.message)
    ? "it wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
    : `what answers is no Docker Engine (GET /version: status ${error.status})`;
  return new DockerError("not_docker", `Docker at ${endpoint.name}: ${why}`, { status: error.status, cause: error });
}

const apiPattern = /^\d{1,3}\.\d{1,4}$/;

function readVersion(raw: unknown): EngineVersion | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const fields = raw as Record<string, unknown>;
  const text = (name: string) => (typeof fields[name] === "string" ? (fields[name] as string) : "");
  if (!apiPattern.test(text("ApiVersion"))) return undefined;
  const least = text("MinAPIVersion");
  return {
    version: text("Version"),
    apiVersion: text("ApiVersion"),
    minApiVersion: apiPattern.test(least) ? least : "",
    os: text("Os"),
    arch: text("Arch"),
  };
}
