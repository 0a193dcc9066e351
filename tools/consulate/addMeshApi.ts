import { type Api, createRoute, eventStream, Problem, z } from "../../lib/http/index.ts";
import type { RegistratorEvent } from "../registrator/index.ts";
import type { MeshStatus } from "./meshStatus.ts";

export interface MeshApiParts {
  status(): MeshStatus;
  explain(caller: string, port: number): string;
  registrations(signal: AbortSignal): AsyncIterable<RegistratorEvent>;
  /** Ends the streams. */
  signal: AbortSignal;
}

const instance = z.object({
  addr: z.string(),
  proto: z.string(),
  container: z.string().optional(),
  leader: z.boolean(),
});
const route = z.object({
  caller: z.string(),
  proto: z.string(),
  port: z.number().int(),
  target: z.string(),
  plane: z.string(),
  why: z.string(),
  state: z.string(),
  backends: z.array(z.string()),
});
const container = z.object({
  id: z.string(),
  name: z.string(),
  services: z.array(z.object({ name: z.string(), addr: z.string(), state: z.string(), reason: z.string().optional() })),
  ignored: z.array(z.object({ port: z.string(), why: z.string() })),
});
const mesh = z.object({
  version: z.string(),
  ready: z.boolean(),
  reason: z.string().optional(),
  api: z.string(),
  dns: z.string().optional(),
  dnsReason: z.string().optional(),
  docker: z.object({ connected: z.boolean(), engine: z.string().optional(), reason: z.string().optional() }),
  store: z.object({ url: z.string(), stale: z.boolean(), reason: z.string().optional() }),
  services: z.array(z.object({ name: z.string(), instances: z.array(instance) })),
  routes: z.array(route),
  containers: z.array(container),
}) satisfies z.ZodType<MeshStatus>;

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  200: { description, content: { "application/json": { schema } } },
});

/** What consulate adds to discoverd's API: the mesh as a whole, its routes, and why a route is as it is. */
export function addMeshApi(api: Api, parts: MeshApiParts): void {
  api.openapi(
    createRoute({
      method: "get",
      path: "/mesh",
      summary: "The mesh of this host as known now: services, routes, containers, and what is wrong",
      responses: json(mesh, "The mesh"),
    }),
    (c) => c.json(parts.status(), 200),
  );

  api.openapi(
    createRoute({
      method: "get",
      path: "/mesh/routes",
      summary: "Who reaches what, by which plane, and why that one",
      responses: json(z.array(route), "One entry a route, refused ones too"),
    }),
    (c) => c.json(parts.status().routes, 200),
  );

  api.openapi(
    createRoute({
      method: "get",
      path: "/mesh/explain/{caller}/{port}",
      summary: "Why a container's port reaches what it reaches, in words",
      request: { params: z.object({ caller: z.string(), port: z.string() }) },
      responses: json(z.object({ text: z.string() }), "The explanation"),
    }),
    (c) => {
      const { caller, port } = c.req.valid("param");
      const number = Number(port);
      if (!Number.isInteger(number) || number < 1 || number > 65_535) {
        throw new Problem("validation_error", `port "${port}": a whole number from 1 to 65535 is needed`);
      }
      return c.json({ text: parts.explain(caller, number) }, 200);
    },
  );

  api.openapi(
    createRoute({
      method: "get",
      path: "/mesh/events",
      summary: "Registrations as they happen, as server-sent events",
      responses: { 200: { description: "text/event-stream of {kind, at, container, service, address, text}" } },
    }),
    (c) => {
      const leaving = AbortSignal.any([c.req.raw.signal, parts.signal]);
      return eventStream(parts.registrations(leaving), {
        signal: leaving,
        format: (event) => ({ event: event.kind, data: JSON.stringify(event) }),
      });
    },
  );
}
