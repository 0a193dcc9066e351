import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import {
  createApi,
  createMetrics,
  createRoute,
  eventStream,
  Problem,
  problemResponses,
  readJson,
  serveApi,
  z,
} from "../../../lib/http/index.ts";
import type { HttpServer } from "../../../lib/runtime/serveHttp.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const thing = z.strictObject({
  addr: z.string(),
  ports: z.array(z.object({ port: z.number() })).optional(),
});

class DiscoveryError extends Error {
  readonly code = "precondition_failed";
  readonly status = 412;
  readonly retry = false;
}

class StoreError extends Error {
  readonly code: string;
  readonly retry: boolean;
  constructor(code: string, retry: boolean) {
    super("etcd does not answer");
    this.code = code;
    this.retry = retry;
  }
}

const errors: Record<string, () => Error> = {
  problem: () => new Problem("conflict", "someone was quicker", { detail: { index: 7 } }),
  discovery: () => new DiscoveryError("wrong index"),
  away: () => new StoreError("unavailable", true),
  corrupt: () => new StoreError("corrupt", false),
  system: () => Object.assign(new Error("ENOENT: /etc/secret"), { code: "ENOENT" }),
  liar: () => Object.assign(new Error("hm"), { code: "x", status: 200 }),
};

/** A source that has nothing to say. */
function waitingSource(onReturn: () => void): AsyncIterable<string> {
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => undefined),
      async return() {
        onReturn();
        return { done: true, value: undefined };
      },
    }),
  };
}

const logged: { message: string; fields: Record<string, unknown> | undefined }[] = [];
let readiness: { ok: boolean; reason?: string } = { ok: true };
let streamEnded = false;
const api = createApi({
  name: "dock",
  version: "1.2.3",
  description: "things on a dock",
  metrics: createMetrics(),
  ready: () => readiness,
  timeLimitMs: 300,
  untimed: (path) => path === "/poll",
  allowedHosts: ["dock.example"],
  allowedOrigins: ["https://dash.example"],
  log: { debug() {}, error: (message, fields) => logged.push({ message, fields }) },
});
api.openapi(
  createRoute({
    method: "put",
    path: "/things/{name}",
    request: {
      params: z.object({ name: z.string().regex(/^[a-z]+$/) }),
      query: z.object({ ttl: z.coerce.number().optional() }),
      body: { required: true, content: { "application/json": { schema: thing } } },
    },
    responses: {
      200: { description: "stored", content: { "application/json": { schema: z.object({ name: z.string() }) } } },
      ...problemResponses({ 400: "not a thing" }),
    },
  }),
  (c) => c.json({ name: c.req.valid("param").name }, 200),
);
api.put("/plain", async (c) => c.json(await readJson(c.req.raw, thing)));
api.put("/strict", async (c) => c.json(await readJson(c.req.raw, thing, { requireType: true })));
api.get("/errors/:kind", (c) => {
  throw errors[c.req.param("kind")]?.() ?? new Error("unknown kind");
});
api.get("/slow", () => new Promise<Response>(() => undefined));
api.get("/poll", async (c) => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return c.text("after all");
});
api.get("/events", () => eventStream(waitingSource(() => (streamEnded = true))));
api.get("/peer", (c) => c.text(c.env.remoteAddress ?? ""));

let server: HttpServer;
beforeAll(async () => {
  server = await serveApi(api, { port: 0 });
});
afterAll(() => server.stop());

async function ask(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown; headers: Headers }> {
  const response = await fetch(server.url + path, { signal: AbortSignal.timeout(10_000), ...init });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

function put(path: string, body: BodyInit, headers: Record<string, string> = {}) {
  return ask(path, { method: "PUT", body, headers: { "content-type": "application/json", ...headers } });
}

describe("errors are problems with a true status", () => {
  test("a thrown problem", async () => {
    expect(await ask("/errors/problem")).toMatchObject({
      status: 409,
      body: { code: "conflict", message: "someone was quicker", detail: { index: 7 }, retry: false },
    });
  });

  test("errors that carry code and status", async () => {
    expect(await ask("/errors/discovery")).toMatchObject({
      status: 412,
      body: { code: "precondition_failed", message: "wrong index", retry: false },
    });
  });

  test("errors worth another try are 503", async () => {
    expect(await ask("/errors/away")).toMatchObject({
      status: 503,
      body: { code: "service_unavailable", message: "etcd does not answer", retry: true },
    });
  });

  for (const kind of ["corrupt", "system", "liar", "none"]) {
    test(`what is not meant for clients is a plain 500: ${kind}`, async () => {
      logged.length = 0;
      expect(await ask(`/errors/${kind}`)).toMatchObject({
        status: 500,
        body: { code: "unknown_error", message: "Something went wrong", retry: false },
      });
      expect(logged).toHaveLength(1);
      expect(logged[0]?.fields).toMatchObject({ method: "GET", path: `/errors/${kind}` });
    });
  }

  test("404, and 405 with Allow", async () => {
    expect(await ask("/nothing")).toMatchObject({ status: 404, body: { code: "not_found", retry: false } });
    const wrong = await ask("/things/a", { method: "DELETE" });
    expect(wrong).toMatchObject({ status: 405, body: { code: "method_not_allowed", detail: { allow: ["PUT"] } } });
    expect(wrong.headers.get("allow")).toBe("PUT");
    expect((await ask("/healthz", { method: "POST" })).headers.get("allow")).toBe("GET, HEAD");
  });

  test("a handler that does not answer in time", async () => {
    expect(await ask("/slow")).toMatchObject({ status: 504, body: { code: "timeout", retry: true } });
    expect(await ask("/poll")).toMatchObject({ status: 200, body: "after all" });
  });
});

describe("bodies", () => {
  const cases: [string, string, string][] = [
    ["{", "syntax_error", "The provided JSON input is invalid"],
    ["{}", "validation_error", "body.addr: Invalid input: expected string, received undefined"],
    [`{"addr":"a","ports":[{"port":"x"}]}`, "validation_error", "body.ports[0].port: "],
    [`{"addr":"a","extra":1}`, "validation_error", `body.extra: Unrecognized key: "extra"`],
    ["[]", "validation_error", "body: Invalid input: expected object"],
  ];
  for (const path of ["/things/a", "/plain", "/strict"]) {
    for (const [body, code, message] of cases) {
      test(`${path} ${body}`, async () => {
        const answer = await put(path, body);
        expect(answer).toMatchObject({ status: 400, body: { code, retry: false } });
        expect((answer.body as { message: string }).message).toStartWith(message);
      });
    }
    test(`${path} takes what is right`, async () => {
      expect((await put(path, `{"addr":"a"}`)).status).toBe(200);
    });
  }

  test("path and query are named as such", async () => {
    expect(await put("/things/A1", `{"addr":"a"}`)).toMatchObject({
      status: 400,
      body: { code: "validation_error", detail: { in: "path", field: "name" } },
    });
    expect(await put("/things/a?ttl=x", `{"addr":"a"}`)).toMatchObject({
      status: 400,
      body: { detail: { in: "query", field: "ttl" } },
    });
  });

  test("another Content-Type", async () => {
    const plain = { "content-type": "text/plain" };
    expect(await put("/things/a", `{"addr":"a"}`, plain)).toMatchObject({ status: 415 });
    expect((await put("/plain", `{"addr":"a"}`, plain)).status).toBe(200);
    expect(await put("/strict", `{"addr":"a"}`, plain)).toMatchObject({
      status: 400,
      body: { code: "validation_error", message: "Content-Type must be application/json" },
    });
  });

  test("over 1 MiB: refused, declared or streamed; up to it: taken", async () => {
    const json = (bytes: number) => `{"addr":"${"x".repeat(bytes - 11)}"}`;
    const streamed = (text: string) =>
      ask("/plain", { method: "PUT", body: new Response(text).body, duplex: "half" } as RequestInit);
    const tooBig = { status: 400, body: { code: "request_body_too_big", detail: { limit: 1 << 20 } } };
    expect((await put("/plain", json(1 << 20))).status).toBe(200);
    expect(await put("/plain", json((1 << 20) + 1))).toMatchObject(tooBig);
    expect(await put("/plain", json(5 << 20))).toMatchObject(tooBig);
    expect((await streamed(json(1000))).status).toBe(200);
    expect(await streamed(json(5 << 20))).toMatchObject(tooBig);
  });
});

describe("who may ask", () => {
  test("Host: the loopback's names and the configured ones", async () => {
    const port = server.port;
    for (const host of ["localhost", `127.0.0.1:${port}`, `[::1]:${port}`, "LOCALHOST", "dock.example:80"]) {
      expect((await ask("/healthz", { headers: { host } })).status).toBe(200);
    }
    for (const host of ["evil.example", `evil.example:${port}`, "10.0.0.1", "localhost.evil.example", "dock"]) {
      expect(await ask("/healthz", { headers: { host } })).toMatchObject({
        status: 421,
        body: { code: "misdirected" },
      });
    }
  });

  test("Origin: changes and streams from foreign pages are refused", async () => {
    const body = `{"addr":"a"}`;
    const own = new URL(server.url).origin;
    for (const origin of [own, "https://dash.example"])
      expect((await put("/plain", body, { origin })).status).toBe(200);
    for (const origin of ["http://evil.example", "null", `${own}.evil.example`]) {
      expect(await put("/plain", body, { origin })).toMatchObject({ status: 403, body: { code: "forbidden" } });
      expect((await ask("/healthz", { headers: { origin } })).status).toBe(200);
      expect((await ask("/healthz", { headers: { origin, accept: "text/event-stream" } })).status).toBe(403);
    }
    expect((await put("/plain", body, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await put("/plain", body, { "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("the peer's address reaches the handlers", async () => {
    expect((await ask("/peer")).body).toBe("127.0.0.1");
  });

  test("garbage on the wire leaves the server as it was", async () => {
    const garbage = [
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET /%zz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "PUT /plain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "PUT /plain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
      "\x00\x01\x02\r\n\r\n",
    ];
    for (const text of garbage) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, "127.0.0.1", () => socket.end(text));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
        socket.on("data", () => socket.destroy());
        socket.setTimeout(1000, () => socket.destroy());
      });
    }
    expect((await ask("/healthz")).status).toBe(200);
  });
});

describe("tokens", () => {
  test("needed everywhere but on the health paths, and then any Host will do", async () => {
    const guarded = createApi({ name: "dock", version: "1", bind: "0.0.0.0", token: "correct horse battery" });
    guarded.get("/things", (c) => c.json([]));
    const status = async (path: string, headers: Record<string, string> = {}) =>
      (await guarded.request(`http://any.example${path}`, { headers: { host: "any.example", ...headers } })).status;
    expect(await status("/things")).toBe(401);
    for (const shown of ["Bearer wrong", "Bearer ", "Basic correct horse battery", "correct", "Bearer correct horse"]) {
      expect(await status("/things", { authorization: shown })).toBe(401);
    }
    expect(await status("/nothing")).toBe(401);
    expect(await status("/openapi.json")).toBe(401);
    expect(await status("/healthz")).toBe(200);
    expect(await status("/readyz")).toBe(200);
  });

  test("the right one", async () => {
    const guarded = createApi({ name: "dock", version: "1", token: "s3cret-token" });
    const response = await guarded.request("http://localhost/openapi.json", {
      headers: { host: "localhost", authorization: "bearer s3cret-token" },
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ security: [{ token: [] }] });
    const without = await guarded.request("http://localhost/openapi.json", { headers: { host: "localhost" } });
    expect(without.headers.get("www-authenticate")).toBe(`Bearer realm="dock"`);
    expect(await without.json()).toMatchObject({ code: "unauthorized" });
  });
});

describe("health, metrics, document", () => {
  test("ready, or why not", async () => {
    expect(await ask("/healthz")).toMatchObject({
      status: 200,
      body: { status: "ok", name: "dock", version: "1.2.3" },
    });
    expect(await ask("/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
    readiness = { ok: false, reason: "the store is away" };
    expect(await ask("/readyz")).toMatchObject({
      status: 503,
      body: { code: "service_unavailable", message: "the store is away", retry: true },
    });
    readiness = { ok: true };
  });

  test("metrics count by route, never by path", async () => {
    await put("/things/abc", `{"addr":"a"}`);
    const { body, headers } = await ask("/metrics");
    expect(headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(body).toMatch(/http_requests_total\{method="PUT",route="\/things\/:name",status="200"\} \d/);
    expect(body).toMatch(/http_request_duration_seconds_bucket\{le="0\.005",method="PUT",route="\/things\/:name"\}/);
    expect(body).toMatch(/^process_resident_memory_bytes \d{7,}$/m);
    expect(body).not.toContain("abc");
  });

  test("the document is OpenAPI 3.1, with the routes and the problem", async () => {
    const { body } = await ask("/openapi.json");
    expect(body).toMatchObject({
      openapi: "3.1.0",
      info: { title: "dock", version: "1.2.3", description: "things on a dock" },
      paths: {
        "/healthz": { get: {} },
        "/readyz": { get: {} },
        "/metrics": { get: {} },
        "/things/{name}": {
          put: {
            parameters: [
              { name: "name", in: "path", required: true },
              { name: "ttl", in: "query" },
            ],
            requestBody: { required: true },
            responses: { 200: {}, 400: {} },
          },
        },
      },
      components: { schemas: { Problem: { type: "object", required: ["code", "message", "retry"] } } },
    });
    // Every reference leads somewhere.
    const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? "");
    expect(references.length).toBeGreaterThan(0);
    for (const path of references) {
      const found = path.split("/").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], body);
      expect(found).toBeObject();
    }
  });

  test("HEAD answers like GET and leaves no stream behind", async () => {
    const response = await fetch(`${server.url}/events`, { method: "HEAD", signal: AbortSignal.timeout(5000) });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith("text/event-stream");
    await waitFor(() => streamEnded, { what: "the stream to be let go", deadlineMs: 5000 });
  });
});
