import { z } from "@hono/zod-openapi";

const index = z.int().min(0);

export const instanceSchema = z
  .object({
    id: z.string().default(""),
    addr: z.string().default(""),
    proto: z.string().default(""),
    meta: z.record(z.string(), z.string()).nullish(),
    index: index.optional(),
  })
  .openapi("Instance");

export const configSchema = z.object({ leader_type: z.string().default("oldest") }).openapi("ServiceConfig");

export const metaSchema = z.object({ data: z.unknown().optional(), index: index.default(0) }).openapi("ServiceMeta");

export const metaUpdateSchema = metaSchema.extend({ leader_id: z.string().optional() }).openapi("ServiceMetaUpdate");

export const leaderSchema = z.object({ id: z.string().default("") }).openapi("LeaderId");

export const summarySchema = z
  .object({ name: z.string(), config: configSchema, instances: z.int() })
  .openapi("ServiceSummary");

export const eventSchema = z
  .object({
    service: z.string(),
    kind: z.enum(["up", "update", "down", "leader", "current", "service_meta"]),
    instance: instanceSchema.optional(),
    service_meta: metaSchema.optional(),
    fencing_token: z.int().optional(),
  })
  .openapi("Event");

export const statusSchema = z
  .object({
    ready: z.boolean(),
    stale: z.boolean(),
    currentAt: z.number(),
    reason: z.string().optional(),
    rev: z.int(),
    services: z.int(),
    instances: z.int(),
    brake: z.int(),
    daemon: z.string(),
  })
  .openapi("Status");

export const problemSchema = z
  .object({ code: z.string(), message: z.string(), detail: z.unknown().optional(), retry: z.boolean() })
  .openapi("Problem");
