import type { Container } from "../../../lib/docker/containers.ts";
import {
  addressOf,
  candidatesOf,
  compatAddress,
  type InspectedContainer,
  type Lookup,
  type PortCandidate,
} from "./addresses.ts";
import { type Metadata, serviceMetadata } from "./metadata.ts";
import type { IgnoredPort, Service, ServicesOptions } from "./service.ts";
import { combineTags } from "./tags.ts";

export interface ServicesAnswer {
  services: Service[];
  ignored: IgnoredPort[];
}

/**
 * What a container offers: the SERVICE_* model of the original registrator. Pure; whatever stands in the container's environment,
 * labels and name, it returns.
 *
 * @param lookup finds other containers, for `container:ID` networks
 *
 * @example
 * servicesOf(container, { hostname: "host-1", internal: true }).services; // [{ id: "host-1:web-1:80", name: "web", ip: "172.17.0.2", port: 80, ... }]
 */
export function servicesOf(
  container: InspectedContainer,
  options: ServicesOptions,
  lookup: Lookup = () => undefined,
): ServicesAnswer {
  const ignored: IgnoredPort[] = [];
  const shared = options.compat ? undefined : sharedNetwork(container, lookup);
  if (shared && "why" in shared) return { services: [], ignored: [{ port: "", why: shared.why }] };
  const place = shared?.container ?? container;

  const all = candidatesOf(container).map((port) => (options.compat ? port : published(port, place)));
  if (all.length === 0) ignored.push({ port: "", why: "no exposed or published ports" });
  const ports = all.filter((port) => {
    const why = leftOut(port, options);
    if (why) ignored.push({ port: port.key, why });
    return !why;
  });

  const services: Service[] = [];
  for (const port of ports) {
    const answer = serviceOf(container, place, port, ports.length > 1, options, lookup);
    if ("why" in answer) ignored.push({ port: port.key, why: answer.why });
    else services.push(answer);
  }
  if (!options.compat) separateIds(services);
  return { services: services.sort(byId), ignored };
}

function serviceOf(
  container: InspectedContainer,
  place: InspectedContainer,
  port: PortCandidate,
  isGroup: boolean,
  options: ServicesOptions,
  lookup: Lookup,
): Service | { why: string } {
  const compat = options.compat ?? false;
  const { values, ofPort } = serviceMetadata(container.env, container.labels, port.exposedPort);
  const ignore = values.get("ignore") ?? "";
  if (ignore !== "" && (compat || !/^(false|0|no)$/i.test(ignore))) return { why: "SERVICE_IGNORE is set" };
  const given = values.get("name") ?? "";
  if (given === "" && options.explicit) return { why: "no SERVICE_NAME, and -explicit asks for one" };

  const address = compat
    ? { ip: compatAddress(container, port, options, lookup) }
    : addressOf(container, place, port, options);
  if ("why" in address) return address;
  const suffixed = port.proto === "udp" || (!compat && port.proto !== "tcp");
  const name = given || (compat ? compatImageName(container.image) : imageName(container));
  return {
    id: values.get("id") || defaultId(container, port, options, suffixed),
    name: isGroup && !ofPort.has("name") ? `${name}-${port.exposedPort}` : name,
    ip: address.ip,
    port: portNumber(options.internal ? port.exposedPort : port.hostPort),
    proto: port.proto,
    tags: combineTags([values.get("tags") ?? "", options.forceTags ?? "", suffixed ? port.proto : ""], compat),
    attrs: attrsOf(values),
    ttl: options.ttl ?? 0,
    exposedPort: port.exposedPort,
  };
}

function leftOut(port: PortCandidate, options: ServicesOptions): string | undefined {
  if (!options.internal && port.hostPort === "") return "not published on the host";
  if (!options.compat && portNumber(options.internal ? port.exposedPort : port.hostPort) === 0)
    return "not a port number";
  return undefined;
}

/** In `container:ID` mode the ports and addresses are the other container's. */
function sharedNetwork(
  container: Container,
  lookup: Lookup,
): { container: InspectedContainer } | { why: string } | undefined {
  if (!container.networkMode.startsWith("container:")) return undefined;
  const id = container.networkMode.slice("container:".length);
  const other = lookup(id);
  return other
    ? { container: other }
    : { why: `it shares the network of container ${id.slice(0, 12)}, which is not there` };
}

/**
 * A port as it is really reached. The original took an exposed port for a published one wherever Docker listed no binding; that holds
 * in host mode alone.
 */
function published(port: PortCandidate, place: Container): PortCandidate {
  if (place.networkMode === "host") return { ...port, hostPort: port.exposedPort };
  const bindings = place.ports.filter((binding) => binding.port === port.key && binding.hostPort !== "");
  const best = bindings.find(({ hostIp }) => !hostIp.includes(":")) ?? bindings[0];
  return { ...port, hostPort: best?.hostPort ?? "", hostIp: best?.hostIp || "0.0.0.0" };
}

/** Go's path.Base, cut at the first colon: a digest leaves its "@sha256" behind. */
function compatImageName(image: string): string {
  const path = image.replace(/\/+$/, "");
  const base = path === "" ? (image === "" ? "." : "/") : path.slice(path.lastIndexOf("/") + 1);
  return base.split(":")[0] ?? "";
}

/** The repository's last part; the container's name when the image is known by its id alone. */
function imageName(container: Container): string {
  const repository = container.image.split("@")[0] ?? "";
  const name = repository.slice(repository.lastIndexOf("/") + 1).split(":")[0] ?? "";
  const isId = /^sha256:/.test(container.image) || /^[0-9a-f]{12}([0-9a-f]{52})?$/.test(container.image);
  return isId || name === "" ? container.name : name;
}

function defaultId(container: Container, port: PortCandidate, options: ServicesOptions, suffixed: boolean): string {
  const host = options.hostname || port.hostIp;
  return `${host}:${container.name}:${port.exposedPort}${suffixed ? `:${port.proto}` : ""}`;
}

/** A SERVICE_ID for all ports would make them overwrite each other: each but a lone one gets its port. */
function separateIds(services: Service[]): void {
  const counts = new Map<string, number>();
  for (const { id } of services) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const service of services) {
    if ((counts.get(service.id) ?? 0) < 2) continue;
    service.id += `:${service.exposedPort}${service.proto === "tcp" ? "" : `:${service.proto}`}`;
  }
}

function attrsOf(values: Metadata["values"]): Record<string, string> {
  return Object.fromEntries([...values].filter(([key]) => key !== "id" && key !== "name" && key !== "tags"));
}

/** As strconv.Atoi with its error passed over: 0 for what is no port. */
function portNumber(text: string): number {
  return /^\+?\d{1,9}$/.test(text) && Number(text) <= 65_535 ? Number(text) : 0;
}

function byId(a: Service, b: Service): number {
  const left = `${a.id}|${a.exposedPort}/${a.proto}`;
  const right = `${b.id}|${b.exposedPort}/${b.proto}`;
  return left < right ? -1 : left > right ? 1 : 0;
}
