import { Problem } from "./problem.ts";
import { malformedJson } from "./toProblem.ts";
import { type Issue, validationProblem } from "./validationProblem.ts";

/** The part of a zod schema that this needs. */
export interface BodySchema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } };
}

/**
 * The request's JSON body, checked; for plain routes. Any Content-Type is taken (curl sends a form's), unless
 * `requireType`.
 * @throws {Problem} syntax_error, validation_error.
 *
 * @example
 * const instance = await readJson(c.req.raw, instanceSchema);
 */
export async function readJson<T>(
  request: Request,
  schema: BodySchema<T>,
  options: { requireType?: boolean } = {},
): Promise<T> {
  if (options.requireType && !request.headers.get("content-type")?.includes("application/json")) {
    throw new Problem("validation_error", "Content-Type must be application/json");
  }
  let value: unknown;
  try {
    value = await request.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw malformedJson(error);
    throw error;
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw validationProblem("json", result.error.issues);
}
