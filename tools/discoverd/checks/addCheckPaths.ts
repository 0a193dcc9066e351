import type { Api } from "../../../lib/http/createApi.ts";
import { Problem } from "../../../lib/http/problem.ts";
import { readJson } from "../../../lib/http/readJson.ts";
import type { CheckKeeper } from "./checkKeeper.ts";

/**
 * The API of checks that the daemons run: PUT and GET .../instances/ID/checks, PUT .../checks/NAME for a report. Unknown fields are
 * refused by name. `keeper` is loaded with the first request that needs it.
 */
export function addCheckPaths(api: Api, keeper: () => Promise<CheckKeeper>): void {
  api.put("/services/:service/instances/:id/checks", async (c) => {
    const { checksBodySchema } = await import("./checkBodies.ts");
    const { service, id } = c.req.param();
    const { instance, checks } = await readJson(c.req.raw, checksBodySchema);
    await (await keeper()).set(service, id, checks, instance);
    return new Response(null, { status: 200 });
  });

  api.get("/services/:service/instances/:id/checks", async (c) => {
    const { service, id } = c.req.param();
    const found = (await keeper()).of(service, id);
    if (!found) throw new Problem("object_not_found", `discoverd: ${service}/${id} has no checks`);
    return c.json(found);
  });

  api.put("/services/:service/instances/:id/checks/:name", async (c) => {
    const { reportSchema } = await import("./checkBodies.ts");
    const { service, id, name } = c.req.param();
    const { status, output } = await readJson(c.req.raw, reportSchema);
    await (await keeper()).report(service, id, name, { outcome: status, output });
    return new Response(null, { status: 200 });
  });
}
