import { Problem } from "./problem.ts";

/** The part of zod's issue that the message needs. */
export interface Issue {
  path: readonly PropertyKey[];
  message: string;
  code?: string | undefined;
  keys?: readonly string[];
}

const places: Record<string, string> = { json: "body", form: "body", param: "path", header: "header" };

/**
 * 400 validation_error that names the first field at fault and where it stands; `detail` has all of them.
 *
 * @example
 * validationProblem("json", [{ path: ["addr"], message: "expected string" }]).message; // "body.addr: expected string"
 */
export function validationProblem(target: string, issues: readonly Issue[]): Problem {
  const where = places[target] ?? target;
  const fields = issues.slice(0, 20).map((issue) => ({
    field: fieldOf(issue),
    message: issue.message,
  }));
  const [first] = fields;
  const name = first?.field ? `${where}.${first.field}` : where;
  return new Problem("validation_error", `${name}: ${first?.message ?? "invalid"}`, {
    detail: { in: where, field: first?.field ?? "", issues: fields },
  });
}

function fieldOf(issue: Issue): string {
  const path = [...issue.path, ...(issue.code === "unrecognized_keys" ? (issue.keys ?? []).slice(0, 1) : [])];
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : i > 0 ? `.${String(part)}` : String(part)))
    .join("");
}
