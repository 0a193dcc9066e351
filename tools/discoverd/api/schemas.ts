import { z } from "@hono/zod-openapi";

const index = z.int().min(0);

const instanceState = z.enum(["up", "warning", "down", "draining", "maintenance"]);

export const instanceSchema = z
  .object({
    id: z.string().default(""),
    addr: z.string().default(""),
    proto: z.string().default(""),
    meta: z.record(z.string(), z.string()).nullish(),
    index: index.optional(),
    weight: z.number().optional(),
    zone: z.string().optional(),
    state: instanceState.optional(),
    reason: z.string().optional(),
    ttl_ms: z.number().optional(),
    owner: z.string().optional(),
  })
  .openapi("Instance");

export const stateSchema = z
  .strictObject({
    state: instanceState,
    reason: z.string().optional(),
    by: z.enum(["operator", "check"]).optional(),
  })
  .openapi("State");

export const registrationsSchema = z
  .array(
    z.strictObject({
      service: z.string(),
      id: z.string().optional(),
      addr: z.string(),
      proto: z.string().default("tcp"),
      meta: z.record(z.string(), z.string()).optional(),
      weight: z.int().optional(),
      zone: z.string().optional(),
      state: instanceState.optional(),
      reason: z.string().optional(),
      ttl_ms: z.number().optional(),
    }),
  )
  .openapi("Registrations");

export const outcomesSchema = z
  .object({
    done: z.int(),
    failed: z.array(z.object({ at: z.int(), code: z.string(), message: z.string(), retry: z.boolean() })),
  })
  .openapi("Outcomes");

export const heartbeatsSchema = z.record(z.string(), z.array(z.string())).openapi("Heartbeats");

export const unknownSchema = z
  .object({ unknown: z.record(z.string(), z.array(z.string())), missing: z.array(z.string()) })
  .openapi("UnknownHeartbeats");

export const indexSchema = z.object({ index }).openapi("Index");

export const historySchema = z
  .array(
    z.object({
      at: z.number(),
      rev: z.int(),
      change: z.enum(["up", "update", "down", "state", "held", "leader"]),
      id: z.string(),
      addr: z.string(),
      why: z.string(),
      detail: z.string().optional(),
      owner: z.string().optional(),
    }),
  )
  .openapi("History");

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
    brakeShare: z.number(),
    daemon: z.string(),
  })
  .openapi("Status");

export const problemSchema = z
  .object({ code: z.string(), message: z.string(), detail: z.unknown().optional(), retry: z.boolean() })
  .openapi("Problem");
