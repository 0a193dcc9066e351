import { z } from "zod";
import { ConsulRefusal } from "./refusal.ts";

/** Go's JSON takes null for "not given". */
const given = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);
const text = given(z.string().max(4096));
const count = given(z.int().min(0).max(1000));
const flag = given(z.boolean());
/** Consul's own bounds: 64 pairs, keys of 128 letters, values of 512. */
const metaSchema = given(z.record(z.string(), z.string()));

const checkSchema = z.looseObject({
  checkid: text,
  id: text,
  name: text,
  notes: text,
  status: text,
  serviceid: text,
  ttl: text,
  http: text,
  method: text,
  header: given(z.record(z.string(), z.array(z.string().max(8192)))),
  body: given(z.string().max(65_536)),
  tcp: text,
  grpc: text,
  grpcusetls: flag,
  tlsskipverify: flag,
  interval: text,
  timeout: text,
  deregistercriticalserviceafter: text,
  successbeforepassing: count,
  failuresbeforewarning: count,
  failuresbeforecritical: count,
});

const serviceSchema = z.object({
  id: text,
  name: text,
  tags: given(z.array(z.string().max(255)).max(64)),
  address: text,
  port: given(z.int()),
  meta: metaSchema,
  weights: given(z.object({ passing: given(z.int().min(0).max(65_535)) })),
  check: given(checkSchema),
  checks: given(z.array(given(checkSchema)).max(64)),
});

const updateSchema = z.object({ status: text, output: text });

export type ServiceBody = z.infer<typeof serviceSchema>;
export type CheckBody = z.infer<typeof checkSchema>;

/** Keys whose own keys are the user's. */
const asIs = new Set(["meta", "header"]);

export const parseServiceBody = (body: string): ServiceBody => parse(body, serviceSchema);
export const parseCheckBody = (body: string): CheckBody => parse(body, checkSchema);
export const parseUpdateBody = (body: string): { status?: string | undefined; output?: string | undefined } =>
  parse(body, updateSchema);

/** As Consul decodes: keys in any case (and with underscores), unknown ones passed over. @throws {ConsulRefusal} 400 */
function parse<T>(body: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new ConsulRefusal(400, `Request decode failed: ${body === "" ? "EOF" : errorText(error)}`);
  }
  const result = schema.safeParse(lowerKeys(value, 0));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ConsulRefusal(400, `Request decode failed: ${issue?.path.join(".") || "body"}: ${issue?.message}`);
}

function lowerKeys(value: unknown, depth: number): unknown {
  if (depth > 8) throw new ConsulRefusal(400, "Request decode failed: too deep");
  if (Array.isArray(value)) return value.map((each) => lowerKeys(each, depth + 1));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const lower = key.toLowerCase().replaceAll("_", "");
      return [lower, asIs.has(lower) ? inner : lowerKeys(inner, depth + 1)];
    }),
  );
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
