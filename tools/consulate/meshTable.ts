import type { Column } from "../../lib/cli/index.ts";
import type { MeshStatus, RouteStatus } from "./meshStatus.ts";

export interface ServiceRow {
  service: string;
  address: string;
  container: string;
  note: string;
}

export interface RouteRow {
  caller: string;
  dials: string;
  target: string;
  backends: string;
  plane: string;
  why: string;
}

export const serviceColumns: Column<ServiceRow>[] = [
  { key: "service" },
  { key: "address" },
  { key: "container" },
  { key: "note", title: "" },
];

export const routeColumns: Column<RouteRow>[] = [
  { key: "caller" },
  { key: "dials" },
  { key: "target" },
  { key: "backends" },
  { key: "plane" },
  { key: "why" },
];

/** One row an instance; a service without instances has one row that says so. */
export function serviceRows({ services }: Pick<MeshStatus, "services">): ServiceRow[] {
  return services.flatMap(({ name, instances }) =>
    instances.length === 0
      ? [{ service: name, address: "-", container: "-", note: "no instances" }]
      : instances.map(({ addr, proto, container, leader }) => ({
          service: name,
          address: proto === "tcp" ? addr : `${addr}/${proto}`,
          container: container ?? "-",
          note: leader ? "leader" : "",
        })),
  );
}

/** One row a route; what is not active says its state in the place of the plane. */
export function routeRows({ routes }: Pick<MeshStatus, "routes">): RouteRow[] {
  return routes.map((route) => ({
    caller: route.caller,
    dials: `ambassador:${route.port}${route.proto === "tcp" ? "" : `/${route.proto}`}`,
    target: route.target,
    backends: backendsText(route.backends),
    plane: route.state === "active" ? route.plane : route.state.replaceAll("_", " "),
    why: route.why,
  }));
}

const shownBackends = 3;

function backendsText(backends: RouteStatus["backends"]): string {
  if (backends.length === 0) return "-";
  const more = backends.length - shownBackends;
  return backends.slice(0, shownBackends).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** What is wrong, one line each; empty when all is well. */
export function problems(status: MeshStatus): string[] {
  const lines: string[] = [];
  if (!status.docker.connected) lines.push(`Docker: ${status.docker.reason ?? "not connected"}`);
  if (status.store.stale)
    lines.push(`store ${status.store.url}: ${status.store.reason ?? "not reached"}; reads go on from memory`);
  if (!status.ready && lines.length === 0) lines.push(status.reason ?? "not ready");
  for (const { name, services } of status.containers) {
    for (const service of services) {
      if (service.state === "refused")
        lines.push(`${name}: ${service.name} is not registered: ${service.reason ?? ""}`);
    }
  }
  return lines;
}
