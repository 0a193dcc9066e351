import type { Discovery } from "../../../../lib/discovery/discovery.ts";
import { ConsulAgent } from "./agent.ts";
import { agentRoutes } from "./agentRoutes.ts";
import type { ConsulFaceOptions } from "./call.ts";
import { catalogRoutes } from "./catalogRoutes.ts";
import { ConsulRefusal } from "./refusal.ts";

export interface ConsulFace {
  readonly agent: ConsulAgent;
  /** Answers a request to /v1/...; refusals are plain text, as Consul's. Rejects only with what is no refusal. */
  fetch(request: Request): Promise<Response>;
  close(): void;
}

/**
 * Consul's HTTP API for services (https://developer.hashicorp.com/consul/api-docs), over Discovery: catalog, health with blocking
 * queries, and this daemon as an agent. Enough for Consul's own command line, consul-template, Prometheus and registrator.
 */
export function createConsulFace(discovery: Discovery, options: ConsulFaceOptions): ConsulFace {
  const agent = new ConsulAgent({ discovery, node: options.node, log: options.log });
  const face = { discovery, agent, options };
  const routes = Object.entries({ ...catalogRoutes(), ...agentRoutes() }).map(([route, answer]) => {
    const [method = "", path = ""] = route.split(" ");
    return { method, pattern: patternOf(path), answer };
  });
  const routeOf = (method: string, path: string) => {
    for (const route of routes) {
      const match = route.method === method ? route.pattern.exec(path) : null;
      if (match) return { route, match };
    }
    return undefined;
  };
  return {
    agent,
    async fetch(request) {
      const url = new URL(request.url);
      try {
        const found = routeOf(request.method, url.pathname);
        if (!found) {
          const allowed = routes.filter(({ pattern }) => pattern.test(url.pathname)).map(({ method }) => method);
          if (allowed.length === 0)
            throw new ConsulRefusal(404, "Invalid URL path: not a recognized HTTP API endpoint\n");
          const allow = ["OPTIONS", ...allowed].join(",");
          return text(405, `method ${request.method} not allowed`, { allow });
        }
        const { route, match } = found;
        const parts = match.slice(1).map(decoded);
        const dc = url.searchParams.get("dc");
        if (dc !== null && dc !== "" && dc !== "dc1") throw new ConsulRefusal(500, "No path to datacenter");
        return await route.answer({ request, query: url.searchParams, parts, face });
      } catch (error) {
        return refused(error);
      }
    },
    close: () => agent.close(),
  };
}

function patternOf(path: string): RegExp {
  const source = path.replace(/:\w+$/, "(.*)").replace(/:\w+/g, "([^/]*)");
  return new RegExp(`^${source}$`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ConsulRefusal(400, "Invalid URL path");
  }
}

/** Errors of discovery are told in its own words, as text. */
function refused(error: unknown): Response {
  if (error instanceof ConsulRefusal) return text(error.status, error.message);
  if (error instanceof Error && "code" in error && "status" in error && typeof error.status === "number") {
    return text(error.status, error.message);
  }
  throw error;
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}
