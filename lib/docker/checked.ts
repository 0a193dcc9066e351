import type { z } from "zod";
import { DockerError } from "./dockerError.ts";

/**
 * An answer of the engine, as the schema reads it.
 *
 * @throws {DockerError} bad_answer, naming the first field of a wrong kind
 *
 * @example
 * checked(z.object({ Id: z.string() }), await connection.json(request), "POST /containers/create").Id;
 */
export function checked<T>(schema: z.ZodType<T>, raw: unknown, what: string): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue && issue.path.length > 0 ? issue.path.map(String).join(".").slice(0, 200) : "the answer";
  throw new DockerError("bad_answer", `${what}: ${where}: ${issue?.message ?? "is not what an engine sends"}`);
}
