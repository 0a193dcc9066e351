import { z } from "@hono/zod-openapi";

const healthSchema = z.string().openapi({ description: "how the registry shows it, where that is not as well" });
const stateSchema = z.enum(["registered", "pending", "failing", "refused"]);
const ignoredSchema = z.object({
  port: z.string().openapi({ description: "80/tcp; empty: the container as a whole" }),
  why: z.string(),
});

/** GET /status */
export const statusSchema = z
  .object({
    version: z.string(),
    connected: z.boolean().openapi({ description: "whether Docker is reached now" }),
    reason: z.string().optional().openapi({ description: "why it is not" }),
    owner: z.string().openapi({ description: "our stamp on entries; empty until Docker was reached" }),
    containers: z.number().int(),
    services: z.object({
      registered: z.number().int(),
      pending: z.number().int(),
      failing: z.number().int(),
      refused: z.number().int(),
    }),
    unreadable: z
      .record(z.string(), z.string())
      .openapi({ description: "containers that could not be read, and why; by id" }),
    registries: z.array(
      z.object({
        name: z.string(),
        synced: z.boolean(),
        registered: z.number().int(),
        failing: z.number().int(),
        writes: z.number().int(),
        failures: z.number().int(),
        retries: z.number().int(),
        lastError: z.string().optional(),
        lastErrorAt: z.number().optional().openapi({ description: "ms since 1970" }),
      }),
    ),
  })
  .openapi("Status");

/** One of GET /services */
export const serviceSchema = z
  .object({
    registry: z.string(),
    id: z.string(),
    service: z.string(),
    address: z.string(),
    container: z.string(),
    containerId: z.string(),
    state: stateSchema,
    health: healthSchema.optional(),
    reason: z.string().optional(),
  })
  .openapi("Service");

/** GET /services */
export const servicesSchema = z.object({ items: z.array(serviceSchema), next: z.string().optional() });

/** GET /explain/{container} */
export const explanationSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    registries: z.array(
      z.object({
        registry: z.string(),
        services: z.array(
          z.looseObject({
            ID: z.string(),
            Name: z.string(),
            IP: z.string(),
            Port: z.number().int(),
            Tags: z.array(z.string()),
            Attrs: z.record(z.string(), z.string()),
            TTL: z.number().int(),
            State: stateSchema,
            Reason: z.string().optional(),
          }),
        ),
        ignored: z.array(ignoredSchema),
      }),
    ),
  })
  .openapi("Explanation");

/** GET /plan */
export const planSchema = z.array(
  z
    .object({
      registry: z.string(),
      synced: z
        .boolean()
        .openapi({ description: "whether the registry was read; before, its difference is not known" }),
      steps: z.array(
        z.object({
          action: z.enum(["register", "deregister", "refused", "dangling"]),
          id: z.string(),
          service: z.string(),
          address: z.string(),
          containerId: z.string(),
          container: z.string(),
          reason: z.string().optional(),
        }),
      ),
    })
    .openapi("Plan"),
);

/** The data of GET /events */
export const eventSchema = z
  .object({
    kind: z.enum(["registered", "deregistered", "refused", "failed", "dangling"]),
    at: z.number().openapi({ description: "ms since 1970" }),
    registry: z.string(),
    containerId: z.string(),
    container: z.string(),
    service: z.string(),
    address: z.string(),
    reason: z.string().optional(),
    health: healthSchema.optional(),
    lagMs: z.number().optional().openapi({ description: "since Docker's event; absent: no event led to it" }),
    text: z.string(),
  })
  .openapi("Event");
