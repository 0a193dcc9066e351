/**
 * The three containers of the story, in one binary: what it does is its first argument.
 *
 *   counter   POST /visits adds one and answers the sum; the sum is kept in COUNTER_FILE when that is set
 *   webapp    GET / counts a visit at COUNTER_URL and says which webapp it is
 *   client    GET /visit?via=ambassador|dns visits the webapp from where it stands and tells how that went
 *
 * Each answers GET /ready once it listens.
 */

import { resolve4 } from "node:dns/promises";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import { type HttpHandler, serveHttp } from "../../lib/runtime/serveHttp.ts";

/** Nothing here may hang: a visit is three hops, each much faster than this. */
const timeoutMs = 5_000;
/** A dead address says nothing: so long, then the next one. */
const nextAddressMs = 1_000;

function counter(file: string | undefined): HttpHandler {
  let visits = file ? readCount(file) : 0;
  return (request) => {
    if (request.method === "POST") {
      visits++;
      if (file) {
        writeFileSync(`${file}.new`, String(visits));
        renameSync(`${file}.new`, file);
      }
    }
    return Response.json({ visits });
  };
}

function readCount(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || 0;
  } catch {
    return 0; // the first start: no file yet
  }
}

function webapp(counterUrl: string): HttpHandler {
  return async () => {
    try {
      const answer = await visit(counterUrl, { method: "POST" });
      const { visits } = (await answer.json()) as { visits: number };
      return Response.json({ visits, webapp: hostname() });
    } catch (error) {
      return Response.json({ error: `counter: ${messageOf(error)}`, webapp: hostname() }, { status: 502 });
    }
  };
}

function client(): HttpHandler {
  return async (request) => {
    const via = new URL(request.url).searchParams.get("via") ?? "ambassador";
    const started = performance.now();
    try {
      // DNS is asked anew each time: it says where a service is now.
      const hosts = via === "dns" ? await resolve4("webapp.discoverd") : ["ambassador"];
      const answer = await visitFirst(hosts.map((host) => `http://${host}:8080/`));
      const body = (await answer.json()) as Record<string, unknown>;
      return Response.json({ ok: answer.ok, via, ms: performance.now() - started, ...body });
    } catch (error) {
      return Response.json({ ok: false, via, ms: performance.now() - started, error: messageOf(error) });
    }
  };
}

/** As all that connect by name do: the first address that answers, since one may just have died. */
async function visitFirst(urls: readonly string[]): Promise<Response> {
  let failure: unknown = new Error("no address");
  for (const url of urls) {
    try {
      return await visit(url, {}, url === urls.at(-1) ? timeoutMs : nextAddressMs);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** A connection of its own each time, so that every visit is routed anew. */
function visit(url: string, init: RequestInit = {}, limitMs = timeoutMs): Promise<Response> {
  return fetch(url, {
    ...init,
    keepalive: false,
    headers: { connection: "close" },
    signal: AbortSignal.timeout(limitMs),
  });
}

/** The system's own code, as ECONNREFUSED, where there is one. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

const roles: Record<string, { port: number; handler: () => HttpHandler }> = {
  counter: { port: 9000, handler: () => counter(process.env.COUNTER_FILE) },
  webapp: { port: 8080, handler: () => webapp(process.env.COUNTER_URL ?? "http://ambassador:9000/visits") },
  client: { port: 8070, handler: client },
};

const role = process.argv.at(-1) ?? "";
const wanted = roles[role];
if (!wanted) {
  console.error(`story: expected one of ${Object.keys(roles).join(", ")}, got "${role}"`);
  process.exit(2);
}
const handle = wanted.handler();
const server = await serveHttp({ hostname: "0.0.0.0", port: wanted.port }, (request, info) =>
  new URL(request.url).pathname === "/ready" ? new Response("ready\n") : handle(request, info),
);
console.log(`${role} on ${server.url}`);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => void server.stop(500).then(() => process.exit(0)));
}
