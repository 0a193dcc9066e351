import type { Api, ApiOptions } from "./createApi.ts";
import { Problem } from "./problem.ts";
import { problemResponses } from "./problemResponses.ts";

/** /healthz (the process answers), /readyz (it can do its work), /metrics, /openapi.json. */
export function addHealth(api: Api, options: ApiOptions): void {
  const { name, version, metrics } = options;
  const document = (path: string, summary: string, more = {}) =>
    api.openAPIRegistry.registerPath({
      method: "get",
      path,
      summary,
      tags: ["health"],
      responses: { 200: { description: summary }, ...more },
    });

  document("/healthz", "the process answers");
  api.get("/healthz", (c) => c.json({ status: "ok", name, version }));

  document("/readyz", "it can do its work", problemResponses({ 503: "it cannot now; the message tells why" }));
  api.get("/readyz", async (c) => {
    const { ok, reason } = (await options.ready?.()) ?? { ok: true };
    if (ok) return c.json({ status: "ready" });
    throw new Problem("service_unavailable", reason ?? "not ready");
  });

  if (metrics) {
    document("/metrics", "metrics in Prometheus' text format");
    api.get("/metrics", async (c) => c.body(await metrics.text(), 200, { "content-type": metrics.contentType }));
  }

  document("/openapi.json", "this document");
  if (options.token !== undefined) {
    api.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  }
  let described: Promise<void> | undefined;
  api.get("/openapi.json", async (c) => {
    described ??= options.describe?.(api);
    await described;
    const document = api.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: name, version, ...(options.description ? { description: options.description } : {}) },
      ...(options.token === undefined ? {} : { security: [{ token: [] }] }),
    });
    return c.json(document);
  });
}
