import type { Discovery } from "../../../../lib/discovery/discovery.ts";
import { settledIndex, waitingOf } from "./blocking.ts";
import { answered, type Call, encoded, type Routes } from "./call.ts";
import { parseFilter } from "./filter.ts";
import { ConsulRefusal } from "./refusal.ts";
import { type AgentNode, serviceName } from "./registration.ts";
import {
  catalogView,
  checksOf,
  datacenter,
  healthView,
  nodeView,
  serfHealth,
  serviceView,
  type Viewed,
  viewed,
} from "./views.ts";

/** Reads of the catalog and of health: the same on every daemon. */
export function catalogRoutes(): Routes {
  return {
    "GET /v1/status/leader": async (call) => answered(call, leaderOf(call)),
    "GET /v1/status/peers": async (call) => answered(call, call.face.options.peers()),
    "GET /v1/catalog/datacenters": async (call) => answered(call, [datacenter]),

    "GET /v1/catalog/services": async (call) => {
      const { discovery } = call.face;
      const index = await waited(call, undefined);
      const passes = filterOf(call);
      const tags = new Map<string, Set<string>>();
      for (const seen of await everything(discovery)) {
        const own = tags.get(seen.name) ?? new Set();
        for (const tag of seen.tags) own.add(tag);
        tags.set(seen.name, own);
      }
      const names = [...tags].filter(([name, own]) => passes({ ServiceName: name, ServiceTags: [...own] }));
      return answered(call, Object.fromEntries(names.map(([name, own]) => [name, [...own].sort()])), index);
    },
    "GET /v1/catalog/service/:name": (call) => ofService(call, (seen) => catalogView(seen)),
    "GET /v1/catalog/nodes": async (call) => {
      const index = await waited(call, undefined);
      const passes = filterOf(call);
      const views = [...(await nodes(call)).values()].map(({ node }) => nodeView(node));
      return answered(call, views.filter(passes), index);
    },
    "GET /v1/catalog/node/:name": async (call) => {
      const index = await waited(call, undefined);
      const here = (await nodes(call)).get(call.parts[0] ?? "");
      if (!here) return answered(call, null, index);
      const services = Object.fromEntries(here.all.map((seen) => [seen.id, serviceView(seen)]));
      return answered(call, { Node: nodeView(here.node), Services: services }, index);
    },
    "GET /v1/catalog/node-services/:name": async (call) => {
      const index = await waited(call, undefined);
      const here = (await nodes(call)).get(call.parts[0] ?? "");
      if (!here) return answered(call, null, index);
      const services = here.all.map((seen) => serviceView(seen));
      return answered(call, { Node: nodeView(here.node), Services: services }, index);
    },

    "GET /v1/health/service/:name": (call) => {
      const onlyPassing = isOn(call.query, "passing");
      return ofService(call, (seen, report) => {
        const view = healthView(seen, report);
        return onlyPassing && view.Checks.some(({ Status }) => Status !== "passing") ? undefined : view;
      });
    },
    "GET /v1/health/checks/:name": (call) => ofService(call, (seen, report) => checksOf(seen, report)),
    "GET /v1/health/node/:name": async (call) => {
      const index = await waited(call, undefined);
      const here = (await nodes(call)).get(call.parts[0] ?? "");
      if (!here) return answered(call, [], index);
      const checks = here.all.flatMap((seen) => checksOf(seen, reports(call)));
      return answered(call, [serfHealth(here.node), ...checks].filter(filterOf(call)), index);
    },
    "GET /v1/health/state/:state": async (call) => {
      const index = await waited(call, undefined);
      const [state = ""] = call.parts;
      const all = await nodes(call);
      const checks = [...all.values()].flatMap((here) => [
        serfHealth(here.node),
        ...here.all.flatMap((seen) => checksOf(seen, reports(call))),
      ]);
      const wanted = checks.filter(({ Status }) => state === "any" || Status === state);
      return answered(call, wanted.filter(filterOf(call)), index);
    },
  };
}

type View = (seen: Viewed, report: ReturnType<typeof reports>) => object | object[] | undefined;

interface Kept {
  body: string;
  /** It was so from this index to that. */
  since: number;
  index: number;
  agentVersion: number;
}

/** Answers about one service, made once for all who wait for it: those that are kept, and those that are being made. */
interface Bodies {
  /** Of the indexes in it. */
  epoch: number;
  kept: Map<string, Kept>;
  /** A change wakes a thousand at once, and all of them find nothing kept yet. */
  making: Map<string, { index: number; agentVersion: number; made: Promise<Made> }>;
}

/** Those of now: indexes that went back would be taken for the same. */
function bodiesOf(discovery: Discovery & { epoch?(): number }): Bodies {
  const epoch = discovery.epoch?.() ?? 0;
  const known = bodies.get(discovery);
  if (known?.epoch === epoch) return known;
  const fresh: Bodies = { epoch, kept: new Map(), making: new Map() };
  bodies.set(discovery, fresh);
  return fresh;
}

type Made = Pick<Kept, "body"> & Partial<Pick<Kept, "since">>;

const bodies = new WeakMap<Discovery, Bodies>();
const maxBodies = 256;
/** Larger ones are made again rather than kept. */
const maxBody = 1 << 20;

async function ofService(call: Call, view: View): Promise<Response> {
  const [name = ""] = call.parts;
  if (name === "") throw new ConsulRefusal(400, "Missing service name");
  const service = serviceName(name);
  const { discovery } = call.face;
  const make = bodyMaker(call, service, view);
  const waiting = waitingOf(call.query);
  for (let { after } = waiting; ; ) {
    const index = await settledIndex(discovery, service, { ...waiting, after }, call.request.signal);
    const { body, since } = await make(index);
    // A change that this answer does not show (a service that has no instance yet, another tag's) is none for who asks.
    const isNews = after === 0 || index <= after || since === undefined || waiting.after < since;
    if (isNews || performance.now() >= waiting.deadline || call.request.signal.aborted)
      return await answered(call, body, index); // a promise that is returned as it is costs two more turns, for each of a thousand
    after = index;
  }
}

/** Makes the answer at an index; `since` is the earliest index at which it is known to have been the same. */
function bodyMaker(call: Call, service: string, view: View): (index: number) => Promise<Made> {
  const { query, face, request } = call;
  const { discovery, agent } = face;
  const tags = query.getAll("tag");
  const passes = filterOf(call);
  const key = keyOf(request.url);
  const make = async ({ kept: known }: Bodies, index: number, agentVersion: number): Promise<Made> => {
    const entries = ((await discovery.instances(service)) ?? [])
      .map((instance) => viewed(service, instance))
      .filter((seen) => tags.every((tag) => seen.tags.includes(tag)))
      .flatMap((seen) => view(seen, reports(call)) ?? [])
      .filter(passes);
    const body = encoded(query, entries);
    // What changed meanwhile would be kept under an older index.
    if (body.length > maxBody || (await discovery.index(service)) > index) return { body };
    const kept = known.get(key);
    const since = kept?.body === body && kept.index <= index ? kept.since : index;
    if (known.size >= maxBodies) known.clear();
    known.set(key, { body, since, index, agentVersion });
    return { body, since };
  };
  return async (index) => {
    const { version: agentVersion } = agent;
    const all = bodiesOf(discovery);
    const { making } = all;
    const kept = all.kept.get(key);
    if (kept && kept.index === index && kept.agentVersion === agentVersion) return kept;
    const others = making.get(key);
    if (others && others.index === index && others.agentVersion === agentVersion) return others.made;
    const made = make(all, index, agentVersion).finally(() => {
      if (making.get(key)?.made === made) making.delete(key);
    });
    making.set(key, { index, agentVersion, made });
    return made;
  };
}

/** The request without what says only how long to wait. */
function keyOf(requestUrl: string): string {
  const { pathname, searchParams } = new URL(requestUrl);
  for (const name of ["index", "wait", "near", "stale", "consistent", "cached", "token"]) searchParams.delete(name);
  return `${pathname}?${searchParams}`;
}

function waited(call: Call, service: string | undefined): Promise<number> {
  return settledIndex(call.face.discovery, service, waitingOf(call.query), call.request.signal);
}

interface NodeOf {
  node: AgentNode;
  all: Viewed[];
}

/** By name; this agent's own is always there. */
async function nodes({ face }: Call): Promise<Map<string, NodeOf>> {
  const { node } = face.agent;
  const found = new Map<string, NodeOf>([[node.name, { node, all: [] }]]);
  for (const seen of await everything(face.discovery)) {
    const here = found.get(seen.node.name);
    if (here) here.all.push(seen);
    else found.set(seen.node.name, { node: seen.node, all: [seen] });
  }
  return found;
}

async function everything(discovery: Discovery): Promise<Viewed[]> {
  const names = (await discovery.services()).map(({ name }) => name);
  const found: Viewed[] = [];
  for (const name of names) {
    for (const instance of (await discovery.instances(name)) ?? []) found.push(viewed(name, instance));
  }
  return found;
}

function reports({ face }: Call) {
  return (serviceId: string, checkId: string) => face.agent.report(serviceId, checkId);
}

function filterOf({ query }: Call): (entry: object) => boolean {
  const text = query.get("filter");
  return text ? parseFilter(text) : () => true;
}

/** `?passing`, `?passing=true`, `?passing=1`. */
function isOn(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && !["false", "0", "f"].includes(value.toLowerCase());
}

function leaderOf({ face }: Call): string {
  return face.options.peers()[0] ?? "";
}
