import { createHash } from "node:crypto";
import { answered, type Call, type Routes } from "./call.ts";
import { type ConsulStatus, checkSpec, isStatus } from "./checkSpec.ts";
import { parseFilter } from "./filter.ts";
import { ConsulRefusal } from "./refusal.ts";
import { registrationOf } from "./registration.ts";
import { agentServiceView, type CheckView, checksOf, datacenter, nodeId, rank, type Viewed, viewed } from "./views.ts";

/** Loaded with the first body: most daemons never see one. */
const bodies = () => import("./bodySchemas.ts");

/** This daemon as a Consul agent. */
export function agentRoutes(): Routes {
  return {
    "GET /v1/agent/self": async (call) => answered(call, self(call)),
    "GET /v1/agent/members": async (call) => answered(call, [member(call)]),
    "GET /v1/agent/services": async (call) => {
      const filter = call.query.get("filter");
      const passes = filter ? parseFilter(filter) : () => true;
      const entries = (await own(call)).map((seen) => [seen.id, agentServiceView(seen)] as const);
      return answered(call, Object.fromEntries(entries.filter(([, view]) => passes(view))));
    },
    "GET /v1/agent/service/:id": async (call) => {
      const seen = (await own(call)).find(({ id }) => id === call.parts[0]);
      if (!seen) throw new ConsulRefusal(404, `unknown service ID: ${call.parts[0]}`);
      const view = agentServiceView(seen);
      const hash = createHash("md5").update(JSON.stringify(view)).digest("hex").slice(0, 16);
      const { Datacenter: dc, ...rest } = view;
      const more = { "x-consul-contenthash": hash };
      return answered(call, { ...rest, ContentHash: hash, Datacenter: dc }, undefined, 200, more);
    },
    "GET /v1/agent/checks": async (call) => {
      const checks = (await own(call)).flatMap((seen) => ownChecks(call, seen));
      return answered(call, Object.fromEntries(checks.map((check) => [check.CheckID, check])));
    },
    "GET /v1/agent/health/service/id/:id": async (call) => {
      const seen = (await own(call)).find(({ id }) => id === call.parts[0]);
      if (!seen) return answered(call, `ServiceId ${call.parts[0]} not found`, undefined, 404);
      const health = aggregated(call, seen);
      return answered(call, health, undefined, httpStatus[health.AggregatedStatus]);
    },
    "GET /v1/agent/health/service/name/:name": async (call) => {
      const all = (await own(call)).filter(({ name }) => name === call.parts[0]).map((seen) => aggregated(call, seen));
      if (all.length === 0) return answered(call, [], undefined, 404);
      const worst = all.reduce((a, b) => (rank[b.AggregatedStatus] > rank[a.AggregatedStatus] ? b : a));
      return answered(call, all, undefined, httpStatus[worst.AggregatedStatus]);
    },

    "PUT /v1/agent/service/register": async (call) => {
      const { agent } = call.face;
      const registration = registrationOf((await bodies()).parseServiceBody(await call.request.text()), agent.node);
      const replaces = ["", "true", "1"].includes(call.query.get("replace-existing-checks") ?? "no");
      await agent.register(registration, !replaces);
      return done();
    },
    "PUT /v1/agent/service/deregister/:id": async (call) => {
      await call.face.agent.deregister(call.parts[0] ?? "");
      return done();
    },
    "PUT /v1/agent/service/maintenance/:id": async (call) => {
      const enable = call.query.get("enable");
      if (enable === null) throw new ConsulRefusal(400, "Missing value for enable");
      const isOn = enable === "true" || enable === "1";
      if (!isOn && enable !== "false" && enable !== "0")
        throw new ConsulRefusal(400, `Invalid value for enable: "${enable}"`);
      await call.face.agent.maintenance(call.parts[0] ?? "", isOn, call.query.get("reason") ?? "");
      return done();
    },

    "PUT /v1/agent/check/register": async (call) => {
      const body = (await bodies()).parseCheckBody(await call.request.text());
      const { name = "", serviceid = "" } = body;
      if (name === "") throw new ConsulRefusal(400, "Missing check name");
      if (serviceid === "") {
        throw new ConsulRefusal(400, "Checks of the node itself are not kept here: give a ServiceID");
      }
      await call.face.agent.addCheck(serviceid, checkSpec(body, { id: name, name }));
      return done();
    },
    "PUT /v1/agent/check/deregister/:id": async (call) => {
      await call.face.agent.removeCheck(call.parts[0] ?? "");
      return done();
    },
    "PUT /v1/agent/check/pass/:id": (call) => ttl(call, "passing"),
    "PUT /v1/agent/check/warn/:id": (call) => ttl(call, "warning"),
    "PUT /v1/agent/check/fail/:id": (call) => ttl(call, "critical"),
    "PUT /v1/agent/check/update/:id": async (call) => {
      const { status = "", output = "" } = (await bodies()).parseUpdateBody(await call.request.text());
      if (!isStatus(status)) throw new ConsulRefusal(400, `Invalid check status: '${status}'`);
      await call.face.agent.reportTtl(call.parts[0] ?? "", status, output);
      return done();
    },
  };
}

const httpStatus: Record<ConsulStatus, number> = { passing: 200, warning: 429, critical: 503 };

async function ttl(call: Call, status: ConsulStatus): Promise<Response> {
  await call.face.agent.reportTtl(call.parts[0] ?? "", status, call.query.get("note") ?? "");
  return done();
}

async function own({ face }: Call): Promise<Viewed[]> {
  return (await face.agent.services()).map(({ service, instance }) => viewed(service, instance));
}

function ownChecks({ face }: Call, seen: Viewed): CheckView[] {
  return checksOf(seen, (serviceId, checkId) => face.agent.report(serviceId, checkId));
}

function aggregated(
  call: Call,
  seen: Viewed,
): { AggregatedStatus: ConsulStatus; Service: object; Checks: CheckView[] } {
  const checks = ownChecks(call, seen);
  const worst = checks.reduce<ConsulStatus>((a, { Status }) => (rank[Status] > rank[a] ? Status : a), "passing");
  return { AggregatedStatus: worst, Service: agentServiceView(seen), Checks: checks };
}

function self(call: Call): object {
  const { agent, options } = call.face;
  const { name, address } = agent.node;
  return {
    Config: {
      Datacenter: datacenter,
      PrimaryDatacenter: datacenter,
      NodeName: name,
      NodeID: nodeId(name),
      Revision: "",
      Server: true,
      Version: options.version,
      BuildDate: "1970-01-01T00:00:01Z",
      BindAddr: address,
    },
    DebugConfig: { Datacenter: datacenter, NodeName: name },
    Stats: { agent: { checks: "0" }, consul: { server: "true", known_datacenters: "1" } },
    Member: member(call),
    Meta: {},
  };
}

function member({ face }: Call): object {
  const { name, address } = face.agent.node;
  const [, port = "0"] = /:(\d+)$/.exec(face.options.peers()[0] ?? "") ?? [];
  const tags = {
    build: `${face.options.version}:`,
    dc: datacenter,
    id: nodeId(name),
    port,
    role: "consul",
    segment: "",
  };
  return {
    Name: name,
    Addr: address,
    Port: Number(port),
    Tags: tags,
    Status: 1,
    ProtocolMin: 1,
    ProtocolMax: 5,
    ProtocolCur: 2,
    DelegateMin: 2,
    DelegateMax: 5,
    DelegateCur: 4,
  };
}

function done(): Response {
  return new Response(null, { status: 200, headers: { "content-type": "application/json" } });
}
