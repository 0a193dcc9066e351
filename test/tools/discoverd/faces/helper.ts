import { silentLogger } from "../../../../lib/cli/logger.ts";
import { type Discoverd, startDiscoverd } from "../../../../tools/discoverd/index.ts";

/** A discoverd in this process, with state in memory. */
export function inMemory(more: { store?: string; token?: string; consulNode?: string } = {}): Promise<Discoverd> {
  return startDiscoverd({ store: "memory:", listen: { hostname: "127.0.0.1", port: 0 }, log: silentLogger, ...more });
}

export interface Answer {
  status: number;
  body: string;
  json: unknown;
  index: number;
}

/** Asks a Consul agent, ours or the real one: "GET /v1/...". */
export async function ask(
  url: string,
  what: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [method = "GET", path = "/"] = what.split(" ");
  const response = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") && text !== "";
  return {
    status: response.status,
    body: text,
    json: isJson ? JSON.parse(text) : undefined,
    index: Number(response.headers.get("x-consul-index") ?? 0),
  };
}
