import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import type { Api } from "../../../lib/http/createApi.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { createDiscoverdApi } from "../../../tools/discoverd/api/createDiscoverdApi.ts";
import { instanceAt } from "../../lib/discovery/helpers.ts";

const base = "http://127.0.0.1:1111";
const id = "35ee81ee2b44f7521139b75e865e3c98";
const body = `{"id":"${id}","addr":"127.0.0.1:2","proto":"tcp"}`;
const jsonType = { "content-type": "application/json" };

let store: Store;
let engine: Engine;
let api: Api;
let ended: AbortController;

beforeEach(async () => {
  store = await openStore("memory:");
  engine = await openEngine(store, { address: "10.0.0.1:1111" });
  ended = new AbortController();
  api = createDiscoverdApi(engine, {
    version: "1.2.3",
    peers: () => engine.daemons().map(({ address }) => address),
    address: () => "10.0.0.1:1111",
    signal: ended.signal,
    onShutdown: () => undefined,
  });
});

afterEach(async () => {
  ended.abort();
  await engine.close();
  await store.close();
});

async function ask(method: string, path: string, text?: string, headers: Record<string, string> = jsonType) {
  const init = {
    method,
    headers: { host: "127.0.0.1:1111", ...headers },
    ...(text === undefined ? {} : { body: text }),
  };
  return await api.fetch(new Request(base + path, init));
}

const refusal = (code: string, message: string) => JSON.stringify({ code, message, retry: false });
const syntaxError = refusal("syntax_error", "The provided JSON input is invalid");
const unknownError = refusal("unknown_error", "Something went wrong");
const needsJson = refusal("validation_error", "Content-Type must be application/json");
const badName = refusal("validation_error", "discoverd: service must be lowercase alphanumeric plus dash");
const noService = (name: string) => refusal("object_not_found", `discoverd: service "${name}" not found`);
const wrongMeta = (what: string) => `Service metadata for "web" ${what}`;

/** Before each: PUT /services/web (oldest), PUT /services/db (manual), and the instance `id` in both. */
const table: [request: string, text: string | undefined, status: number, body: string][] = [
  ["PUT /services/abc", '{"leader_type":"manual"}', 200, ""],
  ["PUT /services/abc", "{}", 200, ""],
  ["PUT /services/abc", '{"leader_type":"oldest","unknown":[1]}', 200, ""],
  ["PUT /services/web", "{}", 409, refusal("object_exists", 'discoverd: service "web" already exists')],
  ["PUT /services/XXX", "{}", 400, badName],
  ["PUT /services/a%2Fb", "{}", 400, badName],
  ["PUT /services/abc", '{"leader_type"', 500, unknownError],
  ["PUT /services/abc", "", 500, unknownError],
  ["PUT /services/abc", "{]", 400, syntaxError],
  ["PUT /services/abc", '{"leader_type":7}', 400, syntaxError],
  ["PUT /services/abc", "[]", 400, syntaxError],
  [
    "PUT /services/abc",
    '{"leader_type":"youngest"}',
    400,
    refusal("validation_error", 'discoverd: leader_type must be "oldest" or "manual"'),
  ],
  ["DELETE /services/web", undefined, 200, ""],
  ["DELETE /services/XXX", undefined, 400, badName],
  ["DELETE /services/abc", undefined, 404, noService("abc")],

  ["GET /services/web/meta", undefined, 404, refusal("object_not_found", "service meta not found")],
  [
    "PUT /services/web/meta",
    '{"data":{"foo":"<b>"},"index":0}',
    200,
    '{"data":{"foo":"\\u003cb\\u003e"},"index":INDEX}',
  ],
  ["PUT /services/web/meta", '{"index":0}', 200, '{"data":null,"index":INDEX}'],
  ["PUT /services/abc/meta", '{"data":1,"index":0}', 404, noService("abc")],
  [
    "PUT /services/web/meta",
    '{"data":1,"index":99}',
    412,
    refusal("precondition_failed", wrongMeta("does not exist, use index=0 to set")),
  ],
  ["PUT /services/web/meta", '{"index":', 500, unknownError],
  ["PUT /services/web/meta", '{"index":-1}', 400, syntaxError],
  ["PUT /services/web/meta", '{"index":"0"}', 400, syntaxError],

  [`PUT /services/web/instances/${id}`, body, 200, ""],
  [`PUT /services/web/instances/${id}`, `${body.slice(0, -1)},"index":12,"more":null}`, 200, ""],
  [`PUT /services/web/instances/${id}`, '{"id":', 500, unknownError],
  [`PUT /services/web/instances/${id}`, '{"id":"x"}}', 400, syntaxError],
  [`PUT /services/web/instances/${id}`, '{"meta":{"a":1}}', 400, syntaxError],
  ["PUT /services/web/instances/xxx", '{"id":"xxx"}', 400, refusal("validation_error", "discoverd: proto must be set")],
  [
    "PUT /services/web/instances/xxx",
    '{"id":"xxx","proto":"tcp","addr":"127.0.0.1"}',
    400,
    refusal("validation_error", "missing port in address 127.0.0.1"),
  ],
  [
    "PUT /services/web/instances/xxx",
    '{"id":"xxx","proto":"tcp","addr":"127.0.0.1:2"}',
    400,
    refusal("validation_error", `discoverd: instance id is incorrect, expected ${id}`),
  ],
  [
    "PUT /services/web/instances/xxx",
    body,
    400,
    refusal("validation_error", `discoverd: instance id is "${id}", but the path says "xxx"`),
  ],
  [`PUT /services/abc/instances/${id}`, body, 404, noService("abc")],
  [`PUT /services/XXX/instances/${id}`, body, 404, noService("XXX")],
  [`DELETE /services/web/instances/${id}`, undefined, 200, ""],
  ["DELETE /services/web/instances/unknown", undefined, 200, ""],
  [`DELETE /services/abc/instances/${id}`, undefined, 404, noService("abc")],
  ["GET /services/web/instances", undefined, 200, `[${body.slice(0, -1)},"index":INDEX}]`],
  ["GET /services/abc/instances", undefined, 404, refusal("object_not_found", 'service not found: "abc"')],

  [
    "PUT /services/web/leader",
    `{"id":"${id}"}`,
    400,
    refusal("validation_error", "service leader election type is not manual"),
  ],
  [
    "PUT /services/abc/leader",
    `{"id":"${id}"}`,
    400,
    refusal("validation_error", "service leader election type is not manual"),
  ],
  ["PUT /services/db/leader", `{"id":"${id}"}`, 200, ""],
  ["PUT /services/db/leader", '{"id":"someone"}', 200, ""],
  ["PUT /services/db/leader", '{"id":', 500, unknownError],
  ["GET /services/web/leader", undefined, 200, `${body.slice(0, -1)},"index":INDEX}`],
  ["GET /services/db/leader", undefined, 404, refusal("object_not_found", "no leader found")],
  ["GET /services/abc/leader", undefined, 404, refusal("object_not_found", "no leader found")],

  [
    "GET /services",
    undefined,
    200,
    '[{"name":"db","config":{"leader_type":"manual"},"instances":1},{"name":"web","config":{"leader_type":"oldest"},"instances":1}]',
  ],
  ["GET /ping", undefined, 200, ""],
  ["GET /raft/leader", undefined, 200, '{"host":"10.0.0.1:1111"}'],
  ["GET /raft/peers", undefined, 200, '["10.0.0.1:1111"]'],
  ["GET /.well-known/status", undefined, 200, '{"data":{"status":"healthy","version":"1.2.3"}}'],
  ["POST /shutdown", undefined, 200, '{"last_index":INDEX}'],
];

describe("request -> status and body, to the byte", () => {
  beforeEach(async () => {
    await engine.addService("web");
    await engine.addService("db", { leader_type: "manual" });
    await engine.register("web", instanceAt("127.0.0.1:2"));
    await engine.register("db", instanceAt("127.0.0.1:2"));
  });

  test.each(table)("%s %s", async (request, text, status, expected) => {
    const [method = "", path = ""] = request.split(" ");
    const answer = await ask(method, path, text);
    const got = (await answer.text()).replace(/("(?:last_)?index":)\d+/, "$1INDEX");
    expect(got).toBe(expected);
    expect(answer.status).toBe(status);
    if (expected !== "") expect(answer.headers.get("content-type")).toStartWith("application/json");
    expect(answer.headers.get("discoverd-peers")).toBe("10.0.0.1:1111");
    expect(answer.headers.get("discoverd-index")).toBe(String(engine.status().rev));
    expect(answer.headers.get("discoverd-stale")).toBeNull();
  });

  test.each(["PUT /services/x {}", 'PUT /services/web/meta {"index":0}', 'PUT /services/db/leader {"id":"a"}'])(
    "%s needs a Content-Type",
    async (request) => {
      const [method = "", path = "", text = ""] = request.split(" ");
      const answer = await ask(method, path, text, { "content-type": "text/plain" });
      expect(await answer.text()).toBe(needsJson);
      expect(answer.status).toBe(400);
    },
  );

  test("an instance does not need one", async () => {
    expect((await ask("PUT", `/services/web/instances/${id}`, body, {})).status).toBe(200);
  });

  test("meta: exists, wrong index, with a leader in one", async () => {
    const { index } = await engine.setMeta("web", { data: 1, index: 0 });
    const again = await ask("PUT", "/services/web/meta", '{"data":2,"index":0}');
    expect(await again.text()).toBe(refusal("object_exists", wrongMeta("already exists, use index=n to set")));
    const wrong = await ask("PUT", "/services/web/meta", '{"data":2,"index":999}');
    expect(await wrong.text()).toBe(refusal("precondition_failed", wrongMeta("exists, but wrong index provided")));
    const right = await ask("PUT", "/services/db/meta", `{"data":2,"index":0,"leader_id":"${id}"}`);
    expect(await right.text()).not.toContain("leader_id");
    expect(engine.leader("db")?.instance.id).toBe(id);
    expect(await (await ask("GET", "/services/web/meta")).text()).toBe(`{"data":1,"index":${index}}`);
  });

  test("an empty service has [] as instances", async () => {
    await engine.deregister("web", id);
    const answer = await ask("GET", "/services/web/instances");
    expect([answer.status, await answer.text()]).toEqual([200, "[]"]);
  });

  test("a removed service is empty, and its heartbeats are refused", async () => {
    await ask("DELETE", "/services/web");
    expect((await ask("GET", "/services/web/instances")).status).toBe(404);
    expect((await ask("PUT", `/services/web/instances/${id}`, body)).status).toBe(404);
  });

  test("after /shutdown every request is told so", async () => {
    await ask("POST", "/shutdown");
    const answer = await ask("GET", "/services/web/instances");
    expect(await answer.text()).toBe(
      '{"code":"service_unavailable","message":"discoverd: shutting down","retry":true}',
    );
    expect(answer.status).toBe(503);
  });

  test("metrics have the registry's figures", async () => {
    const text = await (await ask("GET", "/metrics")).text();
    expect(text).toContain("\ndiscoverd_services 2\n");
    expect(text).toContain("\ndiscoverd_instances 2\n");
    expect(text).toContain("\ndiscoverd_stale 0\n");
  });

  test("an answer that may be old says for how long", async () => {
    await store.close();
    const answer = await ask("GET", "/services/web/instances");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("discoverd-stale")).toMatch(/^\d+$/);
    const write = await ask("PUT", "/services/abc", "{}");
    expect([write.status, ((await write.json()) as { retry: boolean }).retry]).toEqual([503, true]);
  });

  test("a body over 1 MiB is refused", async () => {
    const answer = await ask("PUT", "/services/web/meta", `{"data":"${"x".repeat(1 << 20)}"}`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('"code":"request_body_too_big"');
  });

  test("every path is in the document", async () => {
    const { paths } = (await (await ask("GET", "/openapi.json")).json()) as { paths: Record<string, object> };
    for (const [request] of table) {
      const [method = "", path = ""] = request.split(" ");
      const template = path
        .replace(/^\/services\/[^/]+/, "/services/{service}")
        .replace(/instances\/.+$/, "instances/{id}");
      expect(Object.keys(paths[template] ?? {})).toContain(method.toLowerCase());
    }
  });
});

describe("streams", () => {
  /** The first `frames` frames of a stream. */
  async function frames(path: string, count: number, headers: Record<string, string> = {}): Promise<string[]> {
    const answer = await ask("GET", path, undefined, headers);
    expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const got: string[] = [];
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      const parts = (rest + decoder.decode(chunk)).split("\n\n");
      rest = parts.pop() ?? "";
      got.push(...parts);
      if (got.length >= count) break;
    }
    return got;
  }

  const accept = { accept: "text/event-stream" };
  const up = (index: number) => `{"service":"web","kind":"up","instance":${body.slice(0, -1)},"index":${index}}}`;
  const leader = (index: number) => up(index).replace('"up"', '"leader"');

  test("a service: up, leader, service_meta, current; whatever is accepted", async () => {
    await engine.addService("web");
    await engine.register("web", instanceAt("127.0.0.1:2"));
    const index = engine.status().rev;
    const meta = await engine.setMeta("web", { data: { a: 1 }, index: 0 });
    expect(await frames("/services/web", 4, { accept: "application/json" })).toEqual([
      `data: ${up(index)}`,
      `data: ${leader(index)}`,
      `data: {"service":"web","kind":"service_meta","service_meta":{"data":{"a":1},"index":${meta.index}}}`,
      `id: ${meta.index}\ndata: {"service":"web","kind":"current"}`,
    ]);
  });

  test("a service that does not exist: current; then what comes, the last of each revision resumable", async () => {
    await engine.addService("db");
    const reading = frames("/services/web", 3);
    await engine.addService("web");
    await engine.register("web", instanceAt("127.0.0.1:2"));
    const { rev } = engine.status();
    const [current, ...rest] = await reading;
    expect(current).toContain('data: {"service":"web","kind":"current"}');
    expect(rest).toEqual([`id: ${rev - 1}\ndata: ${up(rev)}`, `id: ${rev}\ndata: ${leader(rev)}`]);
  });

  test("instances and leader by Accept, each with current", async () => {
    await engine.addService("web");
    await engine.register("web", instanceAt("127.0.0.1:2"));
    const { rev } = engine.status();
    const current = `id: ${rev}\ndata: {"service":"web","kind":"current"}`;
    expect(await frames("/services/web/instances", 2, accept)).toEqual([`data: ${up(rev)}`, current]);
    expect(await frames("/services/web/leader", 2, accept)).toEqual([`data: ${leader(rev)}`, current]);
    const fenced = leader(rev).replace(/}$/, `,"fencing_token":${rev}}`);
    expect(await frames("/services/web/leader?fencing", 2, accept)).toEqual([`data: ${fenced}`, current]);
  });

  test("Last-Event-ID: only what was missed; a comment brings the head when nothing was", async () => {
    await engine.addService("web");
    const before = engine.status().rev;
    await engine.register("web", instanceAt("127.0.0.1:2"));
    const { rev } = engine.status();
    const missed = await frames("/services/web", 3, { "last-event-id": String(before) });
    expect(missed).toEqual([":", `id: ${rev - 1}\ndata: ${up(rev)}`, `id: ${rev}\ndata: ${leader(rev)}`]);
    expect(await frames("/services/web", 1, { "last-event-id": String(rev) })).toEqual([":"]);
    const unknown = await frames("/services/web", 4, { "last-event-id": String(rev + 1000) });
    expect(unknown.at(-1)).toContain('"kind":"current"');
  });

  test("they end when the daemon does", async () => {
    const answer = await ask("GET", "/services/web");
    ended.abort();
    expect(await answer.text()).toContain('"kind":"current"');
  });
});
