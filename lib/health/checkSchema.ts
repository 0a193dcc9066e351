import { z } from "zod";
import type { CheckDefinition } from "./checkDefinition.ts";

const ms = (min: number) => z.int().min(min).max(86_400_000);
const count = z.int().min(1).max(1000);
const text = z.string().max(8192);
const word = z.string().min(1).max(1024);

const common = {
  name: z
    .string()
    .regex(/^[\w.:-]{1,128}$/, "must be 1 to 128 letters, digits and _.:-")
    .optional(),
  interval_ms: ms(10).optional(),
  start_interval_ms: ms(10).optional(),
  jitter: z.number().min(0).max(1).optional(),
  timeout_ms: ms(1).optional(),
  failures_before_down: count.optional(),
  failures_before_warning: count.optional(),
  successes_before_up: count.optional(),
  flap_limit: z.int().min(0).max(100).optional(),
  flap_window_ms: ms(1).optional(),
  hold_down_ms: ms(0).optional(),
};
const addr = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.%a-z]+\]|[^\s:/[\]]{1,255}):\d{1,5}$/, "must be host:port")
  .optional();
const header = z
  .string()
  .regex(/^[^\r\n\0]*$/, "must be one line")
  .max(8192);
const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, "is no header name");
const status = z.int().min(100).max(599);
const command = z.array(text).min(1).max(256);
const hostName = z
  .string()
  .regex(/^[^\s/]+$/, "must be a host name")
  .max(261);

/** One check, as it comes from outside; a field that is not known is refused by name. */
export const checkSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("tcp"), ...common, addr }),
  z.strictObject({
    type: z.literal("http"),
    ...common,
    url: z.url({ protocol: /^https?$/ }).optional(),
    path: z
      .string()
      .regex(/^\/[^\s]*$/, "must begin with /")
      .max(8192)
      .optional(),
    tls: z.boolean().optional(),
    method: z
      .string()
      .regex(/^[A-Z]{1,20}$/, "must be in capitals")
      .optional(),
    headers: z.record(token, header).optional(),
    body: z.string().max(65_536).optional(),
    host: hostName.optional(),
    status: z.union([status, z.array(status).min(1).max(100)]).optional(),
    match: z.string().min(1).max(5120).optional(),
    skip_verify: z.boolean().optional(),
  }),
  z.strictObject({
    type: z.literal("grpc"),
    ...common,
    addr,
    service: z.string().max(255).optional(),
    tls: z.boolean().optional(),
    host: hostName.optional(),
    skip_verify: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal("command"), ...common, command, env: z.record(word, text).optional() }),
  z.strictObject({ type: z.literal("docker"), ...common, container: word, command, user: word.optional() }),
  z.strictObject({ type: z.literal("ttl"), ...common, ttl_ms: ms(100) }),
]);

/** The checks of one instance: at most 16, with names of their own. */
export const checksSchema = z
  .array(checkSchema)
  .max(16)
  .refine(
    (checks) => new Set(checks.map(({ name, type }) => name ?? type)).size === checks.length,
    "two checks have the same name",
  );

/** Refuses what is no list of checks, naming the field. @throws {z.ZodError} */
export function parseChecks(raw: unknown): CheckDefinition[] {
  return checksSchema.parse(raw) as CheckDefinition[];
}
