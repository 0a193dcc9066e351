import { expect, test } from "bun:test";
import fc from "fast-check";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import { createDiscoverdApi } from "../../../tools/discoverd/api/createDiscoverdApi.ts";
import { goJson } from "../../../tools/discoverd/api/goJson.ts";
import { isTruncatedJson } from "../../../tools/discoverd/api/isTruncatedJson.ts";
import { instanceAt } from "../../lib/discovery/helpers.ts";

test("whatever is sent, the answer is a problem or a success, and the state is as before or valid", async () => {
  const store = await openStore("memory:");
  const engine = await openEngine(store);
  const api = createDiscoverdApi(engine, { version: "1" });
  await engine.addService("web");
  await engine.register("web", instanceAt("127.0.0.1:2"), { held: true });
  const name = fc.oneof(
    fc.constantFrom("web", "%00", "..", "a%2Fb", "x".repeat(300)),
    fc.string().map(encodeURIComponent),
  );
  const tail = fc.constantFrom("", "/meta", "/leader", "/instances", "/instances/35ee81ee2b44f7521139b75e865e3c98");
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ id: fc.string(), addr: fc.string(), proto: fc.string(), meta: fc.anything() })
      .map((it) => JSON.stringify(it)),
    fc.record({ data: fc.jsonValue(), index: fc.oneof(fc.integer(), fc.double()) }).map((it) => JSON.stringify(it)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("PUT", "DELETE", "POST"),
      name,
      tail,
      text,
      async (method, service, rest, body) => {
        if (method === "DELETE" && service === "web") return;
        const headers = { host: "127.0.0.1", "content-type": "application/json" };
        const request = new Request(`http://127.0.0.1/services/${service}${rest}`, { method, headers, body });
        const answer = await api.fetch(request);
        const got = await answer.text();
        expect([200, 400, 404, 405, 409, 412, 500]).toContain(answer.status);
        if (answer.status === 500) expect(isTruncatedJson(body)).toBe(true);
        if (answer.status !== 200) expect(JSON.parse(got)).toMatchObject({ code: expect.any(String), retry: false });
      },
    ),
    { numRuns: 1500 },
  );
  expect(engine.instances("web")?.map(({ addr }) => addr)).toEqual(["127.0.0.1:2"]);
  expect(engine.services().every(({ name: one }) => /^[a-z0-9-]{1,255}$/.test(one))).toBe(true);
  await engine.close();
  await store.close();
}, 30_000);

test("the beginning of any JSON is truncated JSON; JSON with rubbish in it is not", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, at) => {
      const cut = json.slice(0, at % json.length);
      let isWhole = true;
      try {
        JSON.parse(cut);
      } catch {
        isWhole = false;
      }
      expect(isWhole || isTruncatedJson(cut)).toBe(true);
      expect(isTruncatedJson(`${json}}`)).toBe(false);
    }),
    { numRuns: 1000 },
  );
});

test("JSON is written as Go writes it", () => {
  expect(goJson({ a: "<&>\u2028", b: undefined })).toBe('{"a":"\\u003c\\u0026\\u003e\\u2028"}');
});
