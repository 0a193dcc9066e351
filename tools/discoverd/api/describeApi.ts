import { createRoute, z } from "@hono/zod-openapi";
import type { Api } from "../../../lib/http/createApi.ts";
import {
  configSchema,
  eventSchema,
  heartbeatsSchema,
  historySchema,
  indexSchema,
  instanceSchema,
  leaderSchema,
  metaSchema,
  metaUpdateSchema,
  outcomesSchema,
  problemSchema,
  registrationsSchema,
  stateSchema,
  statusSchema,
  summarySchema,
  unknownSchema,
} from "./schemas.ts";

type Method = "get" | "put" | "post" | "delete";
type Schema = z.ZodType;

interface Path {
  summary: string;
  body?: Schema;
  answer?: Schema;
  /** The answer is a stream of events when text/event-stream is accepted ("accept") or always. */
  stream?: "accept" | "always";
  errors?: readonly number[];
  query?: readonly string[];
}

const waiting = ["index", "wait"];
const filtering = ["state", "meta.NAME", "proto", "zone", "detail"];

const paths: readonly [Method, string, Path][] = [
  [
    "get",
    "/services",
    {
      summary: "All services, by name",
      answer: z.array(summarySchema),
      stream: "accept",
      query: ["prefix", "after", "limit", ...waiting],
    },
  ],
  ["put", "/services/{service}", { summary: "Add a service", body: configSchema, errors: [400, 409, 503] }],
  [
    "delete",
    "/services/{service}",
    { summary: "Remove a service, its instances, leader and meta", errors: [400, 404, 503] },
  ],
  [
    "get",
    "/services/{service}",
    {
      summary: "Watch a service: its state, `current`, then changes",
      stream: "always",
      query: ["fencing", ...filtering],
    },
  ],
  [
    "put",
    "/services/{service}/meta",
    {
      summary:
        "Set metadata if `index` is that of the current (0: there is none); `leader_id` names the leader with it",
      body: metaUpdateSchema,
      answer: metaSchema,
      errors: [400, 404, 409, 412, 503],
    },
  ],
  ["get", "/services/{service}/meta", { summary: "Metadata", answer: metaSchema, errors: [404], query: waiting }],
  [
    "put",
    "/services/{service}/instances/{id}",
    {
      summary: "Register an instance, or heartbeat it",
      body: instanceSchema,
      errors: [400, 404, 503],
      query: ["ttl_ms"],
    },
  ],
  ["delete", "/services/{service}/instances/{id}", { summary: "Deregister an instance", errors: [404, 503] }],
  [
    "get",
    "/services/{service}/instances",
    {
      summary: "Instances by index (age); those that may be sent work, unless ?state= says otherwise",
      answer: z.array(instanceSchema),
      stream: "accept",
      errors: [404],
      query: [...filtering, ...waiting],
    },
  ],
  [
    "put",
    "/services/{service}/leader",
    { summary: "Name the leader of a service with leader_type manual", body: leaderSchema, errors: [400, 503] },
  ],
  [
    "get",
    "/services/{service}/leader",
    {
      summary: "The leader; Discoverd-Fencing-Token has its token",
      answer: instanceSchema,
      stream: "accept",
      errors: [404],
      query: waiting,
    },
  ],
  [
    "put",
    "/services/{service}/instances/{id}/checks",
    {
      summary: "Have the daemons check an instance; with `instance` it is registered by its checks, without heartbeats",
      body: z.object({ checks: z.array(z.looseObject({ type: z.string() })), instance: instanceSchema.optional() }),
      errors: [400, 404, 503],
    },
  ],
  [
    "get",
    "/services/{service}/instances/{id}/checks",
    {
      summary: "An instance's checks; their results where this daemon runs them",
      answer: z.object({
        owner: z.string(),
        checks: z.array(z.looseObject({ type: z.string() })),
        results: z
          .array(
            z.object({
              name: z.string(),
              type: z.string(),
              status: z.enum(["created", "up", "warning", "down"]),
              flapping: z.boolean(),
              output: z.string(),
            }),
          )
          .optional(),
      }),
      errors: [404],
    },
  ],
  [
    "put",
    "/services/{service}/instances/{id}/checks/{name}",
    {
      summary: "Report a check's result, for those of type ttl above all",
      body: z.object({ status: z.enum(["pass", "warn", "fail"]), output: z.string().optional() }),
      errors: [400, 404, 503],
    },
  ],
  [
    "put",
    "/services/{service}/instances/{id}/state",
    {
      summary: "Say an instance's state and why; `up` takes back what the same hand said before",
      body: stateSchema,
      errors: [400, 404, 503],
    },
  ],
  [
    "get",
    "/services/{service}/index",
    { summary: "Revision of the service's last change; waits for a later one", answer: indexSchema, query: waiting },
  ],
  ["get", "/index", { summary: "The same for the list of services", answer: indexSchema, query: waiting }],
  [
    "get",
    "/services/{service}/history",
    { summary: "Its last changes and why, as this daemon saw them; oldest first", answer: historySchema },
  ],
  [
    "post",
    "/registrations",
    {
      summary: "Register (or heartbeat) many; `failed` has the place of each that was refused",
      body: registrationsSchema,
      answer: outcomesSchema,
      errors: [400],
    },
  ],
  [
    "post",
    "/heartbeats",
    {
      summary: "Heartbeats by id; `unknown` are not registered, `missing` are services that do not exist",
      body: heartbeatsSchema,
      answer: unknownSchema,
      errors: [400, 503],
    },
  ],
  ["get", "/status", { summary: "What this daemon knows of its own state", answer: statusSchema }],
  [
    "get",
    "/.well-known/status",
    {
      summary: "Health, in the original's form",
      answer: z.object({ data: z.object({ status: z.string(), version: z.string() }) }),
      errors: [500],
    },
  ],
  ["get", "/metrics", { summary: "Metrics in Prometheus' text format" }],
  ["get", "/ping", { summary: "Answers 200" }],
  [
    "get",
    "/raft/leader",
    {
      summary: "The daemon that expires what reports here: this one",
      answer: z.object({ host: z.string() }),
      errors: [503],
    },
  ],
  ["get", "/raft/peers", { summary: "The live daemons on the store", answer: z.array(z.string()) }],
  [
    "put",
    "/raft/peers/{peer}",
    { summary: "200 if it is a peer", answer: z.object({ last_index: z.int() }), errors: [409] },
  ],
  ["delete", "/raft/peers/{peer}", { summary: "200 if it is none", errors: [409] }],
  [
    "post",
    "/raft/promote",
    {
      summary: "Does nothing and says why",
      answer: z.object({ done: z.boolean(), reason: z.string() }),
    },
  ],
  ["post", "/raft/demote", { summary: "Refused, with the reason", errors: [409] }],
  ["post", "/shutdown", { summary: "Stop this daemon", answer: z.object({ last_index: z.int() }) }],
];

/** Puts every path into the API's document. */
export function describeApi(api: Api): void {
  for (const [method, path, what] of paths) api.openAPIRegistry.registerPath(routeOf(method, path, what));
}

function routeOf(method: Method, path: string, what: Path) {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const content = {
    ...(what.answer ? { "application/json": { schema: what.answer } } : {}),
    ...(what.stream ? { "text/event-stream": { schema: eventSchema } } : {}),
  };
  const failures = (what.errors ?? []).map((status) => [
    status,
    { description: "Refused or failed", content: { "application/json": { schema: problemSchema } } },
  ]);
  return createRoute({
    method,
    path,
    summary: what.summary,
    request: {
      ...(names.length > 0 ? { params: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) } : {}),
      ...(what.query
        ? { query: z.object(Object.fromEntries(what.query.map((name) => [name, z.string().optional()]))) }
        : {}),
      ...(what.body ? { body: { content: { "application/json": { schema: what.body } }, required: true } } : {}),
    },
    responses: { 200: { description: "Done", content }, ...Object.fromEntries(failures) },
  });
}
