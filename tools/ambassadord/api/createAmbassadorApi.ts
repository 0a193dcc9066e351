import {
  type Api,
  type ApiOptions,
  createApi,
  createRoute,
  eventStream,
  type Metrics,
  z,
} from "../../../lib/http/index.ts";
import type { RunningAmbassador } from "../index.ts";
import { describeRoute, routeSchema } from "./describeRoute.ts";

const filters = z.object({
  caller: z.string().max(256).optional().describe("Only this caller's, by name"),
  state: z.enum(["active", "no_backends", "refused"]).optional(),
});
const question = z.object({
  caller: z.string().min(1).max(256).describe("A container's name, the beginning of its id, or its address"),
  port: z.coerce.number().int().min(1).max(65535),
});

const listRoutes = createRoute({
  method: "get",
  path: "/routes",
  summary: "All routes of this host's containers, those refused too",
  request: { query: filters },
  responses: { 200: { description: "Routes", content: { "application/json": { schema: z.array(routeSchema) } } } },
});

const explainRoute = createRoute({
  method: "get",
  path: "/explain",
  summary: "Why a caller's port does what it does, in words",
  request: { query: question },
  responses: { 200: { description: "Words", content: { "text/plain": { schema: z.string() } } } },
});

/**
 * The ambassador's own API: `GET /routes`, `GET /routes/watch` (SSE: the whole table at every change), `GET /explain`.
 *
 * @example
 * const api = createAmbassadorApi(ambassador, { version, bind: "127.0.0.1", metrics: createMetrics() });
 * const server = await serveApi(api, { port: 1112 });
 */
export function createAmbassadorApi(ambassador: RunningAmbassador, options: Omit<ApiOptions, "name" | "ready">): Api {
  const { metrics } = options;
  if (metrics) addMetrics(ambassador, metrics);
  const api = createApi({
    ...options,
    name: "ambassadord",
    description: "The routes of this host's containers.",
    ready() {
      const reason = ambassador.trouble();
      return { ok: reason === undefined, reason };
    },
  });
  api.openapi(listRoutes, (c) => {
    const { caller, state } = c.req.valid("query");
    const all = ambassador.routes().map(describeRoute);
    return c.json(
      all.filter((route) => (caller ? route.caller === caller : true) && (state ? route.state === state : true)),
      200,
    );
  });
  api.get("/routes/watch", (c) =>
    eventStream(ambassador.watch(c.req.raw.signal), {
      signal: c.req.raw.signal,
      format: (table) => ({ event: "routes", data: JSON.stringify(table.map(describeRoute)) }),
    }),
  );
  api.openapi(explainRoute, (c) => {
    const { caller, port } = c.req.valid("query");
    return c.text(`${ambassador.explain(caller, port)}\n`, 200);
  });
  return api;
}

function addMetrics(ambassador: RunningAmbassador, metrics: Metrics): void {
  metrics.gauge("ambassadord_routes", "Routes by plane and state.", ["plane", "state"], (gauge) => {
    gauge.reset();
    for (const { plane, state } of ambassador.routes()) gauge.inc({ plane, state });
  });
  const read = (name: string, help: string, value: () => number | undefined) =>
    metrics.gauge(name, help, [], (gauge) => gauge.set(value() ?? 0));
  const counters = () => ambassador.counters();
  read("ambassadord_applies", "How often the planes were made equal to the routes.", () => counters().applies);
  read("ambassadord_failed_applies", "How often that failed.", () => counters().failedApplies);
  read("ambassadord_last_apply_seconds", "How long the last one took.", () => counters().lastApplyMs / 1000);
  read(
    "ambassadord_last_event_to_route_seconds",
    "From the last Docker event to its routes, 0 before the first.",
    () => (counters().lastEventToRouteMs ?? 0) / 1000,
  );
  read("ambassadord_kernel_rebuilds", "How often the kernel's table was made anew.", () => counters().kernel?.rebuilds);
  read(
    "ambassadord_kernel_freed",
    "Half-open connections freed from backends that left.",
    () => counters().kernel?.freed,
  );
  read("ambassadord_connections_open", "Connections that user space carries now.", () => counters().socket.active);
  read("ambassadord_connections_accepted", "Connections that user space took.", () => counters().socket.accepted);
  read("ambassadord_connect_retries", "Connects tried again on another backend.", () => counters().socket.retries);
  metrics.gauge("ambassadord_connections_refused", "Connections closed, by reason.", ["reason"], (gauge) => {
    for (const [reason, count] of Object.entries(counters().socket.refused)) gauge.set(count, { reason });
  });
}
