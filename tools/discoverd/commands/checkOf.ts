import { UsageError } from "../../../lib/cli/usageError.ts";
import type { CheckDefinition } from "../../../lib/health/checkDefinition.ts";

/** What `--check` takes, for its help. */
export const checkSyntax =
  "tcp[:ADDR] http[:PATH|:URL] grpc[:SERVICE] command:SHELL docker:CONTAINER:SHELL ttl:SECONDS, or a JSON object";

/**
 * A check from a command line.
 * @throws {UsageError}
 *
 * @example
 * await checkOf("http:/healthz"); // { type: "http", path: "/healthz" }
 * await checkOf('{"type":"tcp","interval_ms":500}');
 */
export async function checkOf(text: string, intervalMs?: number): Promise<CheckDefinition> {
  const { parseChecks } = await import("../../../lib/health/checkSchema.ts");
  try {
    const raw = text.startsWith("{") ? (JSON.parse(text) as object) : shortForm(text);
    const [check] = parseChecks([intervalMs === undefined ? raw : { interval_ms: intervalMs, ...raw }]);
    if (check) return check;
    throw new Error("nothing is checked");
  } catch (error) {
    const issue = (error as { issues?: { path: PropertyKey[]; message: string }[] }).issues?.[0];
    const why = issue
      ? [issue.path.slice(1).join("."), issue.message].filter((part) => part !== "").join(": ")
      : String(error instanceof Error ? error.message : error);
    throw new UsageError(`--check ${JSON.stringify(text)}: ${why}; one of ${checkSyntax}`);
  }
}

function shortForm(text: string): object {
  const colon = text.indexOf(":");
  const type = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? undefined : text.slice(colon + 1);
  switch (type) {
    case "tcp":
      return { type, ...(rest === undefined ? {} : { addr: rest }) };
    case "http":
    case "https":
      if (rest === undefined) return { type: "http", ...(type === "https" ? { tls: true } : {}) };
      if (rest.startsWith("//")) return { type: "http", url: text };
      if (/^https?:/.test(rest)) return { type: "http", url: rest };
      return { type: "http", path: rest, ...(type === "https" ? { tls: true } : {}) };
    case "grpc":
      return { type, ...(rest === undefined ? {} : { service: rest }) };
    case "command":
      return { type, command: ["/bin/sh", "-c", rest ?? ""] };
    case "docker": {
      const [container = "", ...shell] = (rest ?? "").split(":");
      return { type, container, command: ["/bin/sh", "-c", shell.join(":")] };
    }
    case "ttl":
      return { type, ttl_ms: Number(rest?.replace(/s$/, "")) * 1000 };
    default:
      return { type };
  }
}
