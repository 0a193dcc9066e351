import { z } from "@hono/zod-openapi";

const problemSchema = z
  .object({
    code: z.string().openapi({ description: "what went wrong, for programs", example: "object_not_found" }),
    message: z.string().openapi({ description: "what went wrong, for people" }),
    detail: z.unknown().optional().openapi({ description: "what helps to mend it" }),
    retry: z.boolean().openapi({ description: "whether the same request may succeed later" }),
  })
  .openapi("Problem");

interface ProblemResponse {
  description: string;
  content: { "application/json": { schema: typeof problemSchema } };
}

/**
 * The `responses` of a route's failures, for the API document.
 *
 * @example
 * createRoute({ ..., responses: { 200: { description: "the service" }, ...problemResponses({ 404: "no such service" }) } });
 */
export function problemResponses<const S extends Readonly<Record<number, string>>>(
  descriptions: S,
): { [K in keyof S]: ProblemResponse } {
  const entries = Object.entries(descriptions).map(([status, description]) => [
    status,
    { description, content: { "application/json": { schema: problemSchema } } },
  ]);
  return Object.fromEntries(entries) as { [K in keyof S]: ProblemResponse };
}
