import { OpenAPIHono } from "@hono/zod-openapi";
import type { RequestInfo } from "../runtime/serveHttp.ts";
import { addHealth } from "./addHealth.ts";
import { allowedMethods } from "./allowedMethods.ts";
import { hostAllowed } from "./hostAllowed.ts";
import { defaultBodyLimit, limitBody } from "./limitBody.ts";
import type { Metrics } from "./metrics.ts";
import { originAllowed } from "./originAllowed.ts";
import { Problem } from "./problem.ts";
import { tokenMatches } from "./tokenMatches.ts";
import { toProblem } from "./toProblem.ts";
import { validationProblem } from "./validationProblem.ts";

/** The part of a Logger that the API uses. */
export interface ApiLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface Readiness {
  ok: boolean;
  /** Why not. */
  reason?: string | undefined;
}

export interface ApiOptions {
  /** The tool's name: title of the API document, prefix of nothing. */
  name: string;
  version: string;
  /** What the API is for; one paragraph in the document. */
  description?: string;
  /** Registers paths of plain routes for the document; called once, when somebody asks for it, so that a start costs nothing. */
  describe?: (api: Api) => Promise<void>;
  /** The address that the server is bound to; decides which Host headers pass. Default "127.0.0.1". */
  bind?: string;
  /** Clients must show it as a bearer token on all paths but `openPaths`. */
  token?: string | undefined;
  /** A header that may carry the bare token instead of Authorization, for clients of another API. */
  tokenHeader?: string;
  /** Paths without token, exact. Default /healthz and /readyz. */
  openPaths?: readonly string[];
  /** Further host names that requests may be sent to. */
  allowedHosts?: readonly string[];
  /** Further origins ("https://dash.example") whose pages may change things and read streams. */
  allowedOrigins?: readonly string[];
  /** Asked by /readyz. Default: always ready. */
  ready?: () => Readiness | Promise<Readiness>;
  metrics?: Metrics;
  log?: ApiLog;
  /** Bytes. Default 1 MiB. */
  bodyLimit?: number;
  /** How long a handler may take until its response begins; streams go on after. Default 30000, 0 for no limit. */
  timeLimitMs?: number;
  /** Paths that wait by design (long polls): no time limit. */
  untimed?: (path: string) => boolean;
}

/** What handlers find in `c.env`. */
export interface ApiEnv {
  Bindings: Partial<RequestInfo>;
}

export type Api = OpenAPIHono<ApiEnv>;

/**
 * An API with the house's habits: problems as JSON with a true status, limits of body and time, Host, Origin and token
 * checks, /healthz, /readyz, /metrics, /openapi.json. Add routes with `app.openapi(createRoute(...), handler)`, or
 * plain `app.get` for what the document should not show; throw `Problem`s.
 *
 * @example
 * const api = createApi({ name: "discoverd", version, ready: () => ({ ok: true }), metrics: createMetrics() });
 * api.get("/ping", (c) => c.body(null));
 * const server = await serveApi(api, { port: 1111 });
 */
export function createApi(options: ApiOptions): Api {
  const app: Api = new OpenAPIHono<ApiEnv>({
    defaultHook(result) {
      if (!result.success) throw validationProblem(result.target, result.error.issues);
    },
  });
  const observe = observer(options);

  app.use(async (c, next) => {
    const start = performance.now();
    await next();
    // Nobody reads it: a stream would hold its source for ever.
    if (c.req.raw.method === "HEAD") await c.res.body?.cancel();
    observe(c.req.method, routeOf(c.req.matchedRoutes), c.res.status, (performance.now() - start) / 1000, c.req.path);
  });
  app.use(async (c, next) => {
    check(c.req.raw, c.req.path, options);
    const work = async () => {
      c.req.raw = await limitBody(c.req.raw, options.bodyLimit ?? defaultBodyLimit);
      await next();
    };
    const limit = options.timeLimitMs ?? 30_000;
    await (limit === 0 || options.untimed?.(c.req.path) ? work() : timed(limit, work));
  });
  app.onError((error, c) => {
    const problem = toProblem(error);
    if (problem.code === "unknown_error") {
      const { stack, message } = problem.cause instanceof Error ? problem.cause : { stack: "", message: String(error) };
      options.log?.error("request failed", { method: c.req.method, path: c.req.path, error: message, stack });
    }
    return problem.toResponse();
  });
  app.notFound((c) => {
    const allow = allowedMethods(app, c.req.path);
    if (allow.length === 0) throw new Problem("not_found", `${c.req.path} does not exist here`);
    throw new Problem("method_not_allowed", `${c.req.method} is not possible on ${c.req.path}`, {
      detail: { allow },
      headers: { allow: allow.join(", ") },
    });
  });
  addHealth(app, options);
  return app;
}

/** @throws {Problem} when the request comes from where it should not. */
function check(request: Request, path: string, options: ApiOptions): void {
  const { token, allowedHosts = [], allowedOrigins = [], openPaths = ["/healthz", "/readyz"] } = options;
  const host = request.headers.get("host") ?? undefined;
  const policy = { bind: options.bind ?? "127.0.0.1", allowed: allowedHosts, token: token !== undefined };
  if (!hostAllowed(host, policy)) {
    throw new Problem("misdirected", "This host name is not served here", { detail: { host } });
  }
  if (!originAllowed(request, allowedOrigins)) {
    throw new Problem("forbidden", "Pages of this origin may not do this", {
      detail: { origin: request.headers.get("origin") },
    });
  }
  if (token === undefined || openPaths.includes(path)) return;
  const bare = options.tokenHeader === undefined ? null : request.headers.get(options.tokenHeader);
  if (!tokenMatches(request.headers.get("authorization") ?? (bare === null ? null : `Bearer ${bare}`), token)) {
    throw new Problem("unauthorized", "A bearer token is needed", {
      headers: { "www-authenticate": `Bearer realm="${options.name}"` },
    });
  }
}

/** @throws {Problem} timeout, after `limit` ms. */
async function timed(limit: number, work: () => Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem("timeout", `No answer within ${limit} ms`)), limit);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

const knownMethods = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]);

type Observe = (method: string, route: string, status: number, seconds: number, path: string) => void;

function observer({ metrics, log }: ApiOptions): Observe {
  const total = metrics?.counter("http_requests_total", "HTTP requests answered.", ["method", "route", "status"]);
  const took = metrics?.histogram("http_request_duration_seconds", "Time until the response began.", [
    "method",
    "route",
  ]);
  return (asked, route, status, seconds, path) => {
    const method = knownMethods.has(asked) ? asked : "other";
    total?.inc({ method, route, status });
    took?.observe(seconds, { method, route });
    log?.debug("request", { method: asked, path, status, ms: Math.round(seconds * 1e4) / 10 });
  };
}

/** The pattern, never the path: labels must stay few whatever clients ask for. */
function routeOf(routes: readonly { method: string; path: string }[]): string {
  return routes.findLast((route) => route.method !== "ALL")?.path ?? "none";
}
