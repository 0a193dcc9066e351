import type { Discovery } from "../../../../lib/discovery/discovery.ts";
import type { ConsulAgent } from "./agent.ts";
import type { AgentNode } from "./registration.ts";

export interface ConsulFaceOptions {
  /** This agent's node: its name must be its own among the daemons of one store, as with Consul's agents. */
  node: AgentNode;
  version: string;
  /** host:port of the live daemons; the first is named as the leader. */
  peers: () => readonly string[];
  log?: { error(message: string, fields?: Record<string, unknown>): void } | undefined;
}

/** What a route gets. */
export interface Call {
  request: Request;
  query: URLSearchParams;
  /** What stood for `:x` in the path, decoded. */
  parts: string[];
  face: { discovery: Discovery; agent: ConsulAgent; options: ConsulFaceOptions };
}

/** "GET /v1/catalog/service/:name" -> what answers it. A last `:name` takes the rest of the path, slashes too. */
export type Routes = Record<string, (call: Call) => Promise<Response>>;

/** `index` undefined: no blocking answer, so no index. */
export async function answered(
  { query, face }: Call,
  body: unknown,
  index?: number,
  status = 200,
  more: Record<string, string> = {},
): Promise<Response> {
  const json = typeof body === "string" && index !== undefined ? body : encoded(query, body);
  const headers: Record<string, string> = { "content-type": "application/json", ...more };
  if (index !== undefined) {
    const { stale, currentAt } = await face.discovery.status();
    headers["x-consul-index"] = String(index);
    headers["x-consul-knownleader"] = String(!stale);
    headers["x-consul-lastcontact"] = String(stale ? Math.max(0, Date.now() - currentAt) : 0);
    headers["x-consul-effective-consistency"] = "stale";
  }
  return new Response(json, { status, headers });
}

export function encoded(query: URLSearchParams, body: unknown): string {
  return JSON.stringify(body, null, query.has("pretty") ? 4 : undefined);
}
