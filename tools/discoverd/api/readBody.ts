import { Problem } from "../../../lib/http/problem.ts";
import { isTruncatedJson } from "./isTruncatedJson.ts";

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/**
 * A request's JSON as the original reads it: unknown fields are ignored; malformed JSON and wrong types are syntax_error;
 * JSON that ends too early is its unknown_error.
 * @throws {Problem}
 */
export async function readBody<T>(request: Request, schema: Schema<T>, requireType = true): Promise<T> {
  if (requireType && !request.headers.get("content-type")?.includes("application/json")) {
    throw new Problem("validation_error", "Content-Type must be application/json");
  }
  const text = await request.text();
  const result = schema.safeParse(parse(text) ?? {});
  if (result.success) return result.data;
  throw invalid();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Long texts are not searched for their missing end.
    if (text.length <= 65_536 && isTruncatedJson(text)) throw new Problem("unknown_error", "Something went wrong");
    throw invalid(error);
  }
}

function invalid(cause?: unknown): Problem {
  return new Problem("syntax_error", "The provided JSON input is invalid", { cause });
}
