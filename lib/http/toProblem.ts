import { HTTPException } from "hono/http-exception";
import { Problem, statusOfCode } from "./problem.ts";

/** What rooms throw, seen from outside: any error with these fields is meant for the client. */
interface CodedError extends Error {
  code: string;
  status?: number;
  retry?: boolean;
  detail?: unknown;
}

/**
 * The answer to an error. Problems are themselves; errors with `code` and `status` (DiscoveryError) are taken at their
 * word; errors with `code` and `retry: true` (StoreError) are 503; all else is a 500 that tells nothing.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return ofHono(error);
  if (isCoded(error)) {
    const { code, message, status, retry, detail } = error;
    if (status !== undefined) {
      return new Problem(code, message, { status, detail, cause: error, ...(retry === undefined ? {} : { retry }) });
    }
    if (retry) return new Problem("service_unavailable", message, { retry, cause: error });
  }
  return new Problem("unknown_error", "Something went wrong", { cause: error });
}

function isCoded(error: unknown): error is CodedError {
  if (!(error instanceof Error)) return false;
  const { code, status, retry } = error as Partial<CodedError>;
  const statusFits = status === undefined || (Number.isInteger(status) && status >= 400 && status <= 599);
  return typeof code === "string" && statusFits && (retry === undefined || typeof retry === "boolean");
}

function ofHono(error: HTTPException): Problem {
  if (error.status === 400 && error.message.startsWith("Malformed JSON")) return malformedJson(error);
  if (error.status === 415) {
    return new Problem("unsupported_media_type", "Content-Type must be application/json", { cause: error });
  }
  const code = Object.entries(statusOfCode).find(([, status]) => status === error.status)?.[0];
  return new Problem(code ?? "unknown_error", error.message || "The request was refused", {
    status: error.status,
    cause: error,
  });
}

export function malformedJson(cause?: unknown): Problem {
  return new Problem("syntax_error", "The provided JSON input is invalid", { cause });
}
