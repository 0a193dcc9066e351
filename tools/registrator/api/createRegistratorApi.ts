import {
  type Api,
  type ApiOptions,
  createApi,
  createRoute,
  eventStream,
  lastEventId,
  Problem,
  page,
  problemResponses,
  type Readiness,
  z,
} from "../../../lib/http/index.ts";
import { explained } from "../explain/explain.ts";
import type { Registrator, RegistratorStatus } from "../startRegistrator.ts";
import { eventHistory } from "./eventHistory.ts";
import { eventSchema, explanationSchema, planSchema, servicesSchema, statusSchema } from "./schemas.ts";

const json = <S extends z.ZodType>(description: string, schema: S) => ({
  200: { description, content: { "application/json": { schema } } },
});

const statusRoute = createRoute({
  method: "get",
  path: "/status",
  summary: "Docker, the registries, and how many services are in which state",
  responses: json("Status", statusSchema),
});

const listQuery = z.object({
  service: z.string().max(256).optional().describe("Only of this name"),
  container: z.string().max(256).optional().describe("Only of this container, by name or the beginning of its id"),
  registry: z.string().max(64).optional(),
  state: z.enum(["registered", "pending", "failing", "refused"]).optional(),
  limit: z.string().optional(),
  cursor: z.string().optional(),
});

const servicesRoute = createRoute({
  method: "get",
  path: "/services",
  summary: "Each service of each container in each registry, with its state",
  request: { query: listQuery },
  responses: {
    ...json("A page; `next` is the cursor of what follows", servicesSchema),
    ...problemResponses({ 400: "bad query" }),
  },
});

const explainRoute = createRoute({
  method: "get",
  path: "/explain/{container}",
  summary: "What is registered of a container, and why its other ports are not",
  request: { params: z.object({ container: z.string().min(1).max(256).describe("Id, its beginning, or name") }) },
  responses: {
    ...json("For each registry", explanationSchema),
    ...problemResponses({ 404: "no such container runs" }),
  },
});

const planRoute = createRoute({
  method: "get",
  path: "/plan",
  summary: "What is left to be written, and why it was not yet; writes nothing",
  responses: json("For each registry", planSchema),
});

/**
 * Registrator's own API: `GET /status`, `/services`, `/explain/CONTAINER`, `/plan`, `/events` (SSE, resumes by Last-Event-ID). It only
 * tells; nothing can be changed by it.
 *
 * @example
 * const api = createRegistratorApi(registrator, { version, bind: "127.0.0.1", metrics });
 * const server = await serveApi(api, { port: 1113 });
 */
export function createRegistratorApi(registrator: Registrator, options: Omit<ApiOptions, "name" | "ready">): Api {
  const history = eventHistory(registrator.events(new AbortController().signal));
  const api = createApi({
    ...options,
    name: "registrator",
    description: "What registrator keeps of this host's containers in registries.",
    ready: () => readiness(registrator.status()),
  });

  api.openapi(statusRoute, (c) => {
    const { containers, ...rest } = registrator.status();
    const services = { registered: 0, pending: 0, failing: 0, refused: 0 };
    for (const { state } of containers.flatMap((each) => each.services)) services[state]++;
    return c.json({ version: options.version, ...rest, containers: containers.length, services }, 200);
  });

  api.openapi(servicesRoute, (c) => {
    const { service, container, registry, state } = c.req.valid("query");
    const rows = servicesOf(registrator.status()).filter(
      (row) =>
        (service === undefined || row.service === service) &&
        (container === undefined || row.container === container || row.containerId.startsWith(container)) &&
        (registry === undefined || row.registry === registry) &&
        (state === undefined || row.state === state),
    );
    return c.json(page(c.req.raw, rows, { key: keyOf }), 200);
  });

  api.openapi(explainRoute, (c) => {
    const { container } = c.req.valid("param");
    const found = registrator.explain(container);
    if (!found) throw new Problem("not_found", `no container ${JSON.stringify(container)} runs here`);
    const registries = found.registries.map(({ registry, services, ignored }) => ({
      registry,
      services: services.map(({ service, status }) => ({
        ...explained(service),
        State: status.state,
        ...("reason" in status ? { Reason: status.reason } : {}),
      })),
      ignored: [...ignored],
    }));
    return c.json({ ...found, registries }, 200);
  });

  api.openapi(planRoute, (c) => c.json(registrator.plan(), 200));

  api.openAPIRegistry.registerPath({
    method: "get",
    path: "/events",
    summary: "What is done and refused, as it happens; resumes by Last-Event-ID or ?since=, event: gap where it cannot",
    responses: { 200: { description: "Events", content: { "text/event-stream": { schema: eventSchema } } } },
  });
  api.get("/events", (c) => {
    const { signal } = c.req.raw;
    return eventStream(history.events(lastEventId(c.req.raw), signal), {
      signal,
      format: (item) =>
        "gap" in item
          ? { id: item.id, event: "gap", data: JSON.stringify({ reason: item.gap }) }
          : { id: item.id, event: item.event.kind, data: JSON.stringify(item.event) },
    });
  });
  return api;
}

/** Ready: Docker is reached, and every registry was read. */
function readiness({ connected, reason, registries }: RegistratorStatus): Readiness {
  if (!connected) return { ok: false, reason: `Docker: ${reason}` };
  const waiting = registries.find(({ synced }) => !synced);
  return waiting ? { ok: false, reason: `${waiting.name}: ${waiting.lastError ?? "not read yet"}` } : { ok: true };
}

function servicesOf({ containers }: RegistratorStatus) {
  return containers
    .flatMap(({ id: containerId, name: container, services }) =>
      services.map((service) => ({ ...service, container, containerId })),
    )
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf(row: { service: string; id: string; address: string; registry: string; containerId: string }): string {
  return [row.service, row.id, row.address, row.registry, row.containerId].join("\0");
}
