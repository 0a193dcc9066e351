import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../../../lib/http/index.ts";
import { createAmbassadorApi } from "../../../../tools/ambassadord/api/createAmbassadorApi.ts";
import type { AmbassadorCounters, AppliedRoute, RunningAmbassador } from "../../../../tools/ambassadord/index.ts";
import { backendOf, routeOf } from "../routeOf.ts";

const table: AppliedRoute[] = [
  { route: routeOf({ backends: [backendOf("10.213.7.21", 8080)] }), plane: "kernel", why: "it can", state: "active" },
  { route: routeOf({ port: 81 }), plane: "none", why: "no such thing", state: "refused" },
];
const counters: AmbassadorCounters = {
  applies: 7,
  failedApplies: 0,
  lastApplyMs: 2,
  lastEventToRouteMs: 12,
  kernel: { applies: 7, rebuilds: 1, elementChanges: 3, freed: 2 },
  socket: {
    accepted: 4,
    active: 1,
    retries: 3,
    refused: { no_route: 0, no_backends: 5, connect_failed: 0, too_many_connections: 0 },
    bytesSent: 0,
    bytesReceived: 0,
  },
};
const ambassador: RunningAmbassador = {
  routes: () => table,
  async *watch() {
    yield table;
  },
  explain: (caller, port) => `${caller} ${port}`,
  counters: () => counters,
  trouble: () => "Docker does not answer",
  kernelUnavailable: undefined,
  close: async () => undefined,
};
const api = createAmbassadorApi(ambassador, { version: "1", metrics: createMetrics() });
const get = (path: string) => api.request(path, { headers: { host: "127.0.0.1:1112" } });

describe("the API", () => {
  test("GET /routes lists them, filtered", async () => {
    const all = await (await get("/routes")).json();
    expect(all).toHaveLength(2);
    expect(all[0]).toEqual({
      id: "10.213.7.11/tcp/80",
      caller: "10.213.7.11",
      addresses: ["10.213.7.11"],
      proto: "tcp",
      port: 80,
      target: "web",
      plane: "kernel",
      state: "active",
      why: "it can",
      backends: [{ id: "10.213.7.21:8080", address: "10.213.7.21:8080", weight: 1, local: true, refusing: false }],
    });
    expect(await (await get("/routes?state=refused")).json()).toHaveLength(1);
    expect(await (await get("/routes?caller=nobody")).json()).toEqual([]);
    expect((await get("/routes?state=odd")).status).toBe(400);
  });

  test("GET /explain answers in words, and names what is wrong with the question", async () => {
    expect(await (await get("/explain?caller=web&port=80")).text()).toBe("web 80\n");
    for (const query of ["", "?caller=web", "?caller=web&port=0", "?caller=web&port=http"])
      expect((await get(`/explain${query}`)).status).toBe(400);
  });

  test("GET /routes/watch gives the table as an event", async () => {
    expect(await (await get("/routes/watch")).text()).toContain('event: routes\ndata: [{"id":"10.213.7.11/tcp/80"');
  });

  test("/readyz says why not, /metrics counts", async () => {
    const ready = await get("/readyz");
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("Docker does not answer")]);
    const metrics = await (await get("/metrics")).text();
    for (const line of [
      'ambassadord_routes{plane="kernel",state="active"} 1',
      "ambassadord_kernel_freed 2",
      'ambassadord_connections_refused{reason="no_backends"} 5',
      "ambassadord_last_event_to_route_seconds 0.012",
    ])
      expect(metrics).toContain(line);
  });
});
