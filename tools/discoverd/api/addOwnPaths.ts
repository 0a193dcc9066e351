import type { Discovery } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import type { Api } from "../../../lib/http/createApi.ts";
import { readJson } from "../../../lib/http/readJson.ts";
import { empty, json } from "./answers.ts";
import { readWait, refuseUnknown } from "./readQuery.ts";

/** What the original does not have: indexes to wait on, history, states, batches. Unknown parameters and fields are refused by name. */
export function addOwnPaths(api: Api, discovery: Discovery): void {
  const index = async (request: Request, service: string | undefined): Promise<Response> => {
    const params = new URL(request.url).searchParams;
    refuseUnknown(params, ["index", "wait"]);
    const wait = readWait(params);
    const { signal } = request;
    const after = wait && (wait.index ?? (await discovery.index(service)));
    const now =
      wait === undefined || after === undefined
        ? await discovery.index(service)
        : await discovery.changed(service, after, { timeoutMs: wait.waitMs, signal });
    return json({ index: now });
  };
  api.get("/index", (c) => index(c.req.raw, undefined));
  api.get("/services/:service/index", (c) => index(c.req.raw, c.req.param("service")));

  api.get("/services/:service/history", async (c) => {
    refuseUnknown(new URL(c.req.url).searchParams, []);
    return json(await discovery.history(c.req.param("service")));
  });

  api.put("/services/:service/instances/:id/state", async (c) => {
    refuseUnknown(new URL(c.req.url).searchParams, []);
    const { stateSchema } = await import("./schemas.ts");
    const { service, id } = c.req.param();
    const { reason, by, state } = await readJson(c.req.raw, stateSchema);
    await discovery.setState(service, id, {
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(by === undefined ? {} : { by }),
    });
    return empty();
  });

  api.post("/registrations", async (c) => {
    refuseUnknown(new URL(c.req.url).searchParams, []);
    const { readRegistrations } = await import("./readBatch.ts");
    const registrations = readRegistrations(await c.req.text());
    const outcomes = await discovery.registerAll(registrations);
    const failed: { at: number; code: string; message: string; retry: boolean }[] = [];
    for (const [at, error] of outcomes.entries()) {
      if (error) failed.push({ at, code: error.code, message: error.message, retry: error.retry });
    }
    return json({ done: registrations.length - failed.length, failed });
  });

  api.post("/heartbeats", async (c) => {
    refuseUnknown(new URL(c.req.url).searchParams, []);
    const { readHeartbeats } = await import("./readBatch.ts");
    const unknown: Record<string, string[]> = {};
    const missing: string[] = [];
    for (const [service, ids] of readHeartbeats(await c.req.text())) {
      try {
        const absent = await discovery.heartbeat(service, ids);
        if (absent.length > 0) unknown[service] = absent;
      } catch (error) {
        if (!(error instanceof DiscoveryError) || error.code !== "object_not_found") throw error;
        missing.push(service);
      }
    }
    return json({ unknown, missing });
  });
}
