import type { Container } from "../../../lib/docker/containers.ts";
import { addressOf } from "./addresses.ts";
import { compatServicesOf } from "./compatServicesOf.ts";
import { lettersOf, maxLetters, maxServices } from "./limits.ts";
import { containerMetadata, type Metadata } from "./metadata.ts";
import {
  type Binding,
  bindingsByPort,
  bindingsOf,
  type ContainerPort,
  type InspectedContainer,
  type Lookup,
  portNumber,
  portsOf,
} from "./ports.ts";
import type { IgnoredPort, Service, ServicesOptions } from "./service.ts";
import { healthOf, type ServiceHealth } from "./serviceHealth.ts";
import { combineTags, splitTags } from "./tags.ts";

export interface ServicesAnswer {
  services: Service[];
  ignored: IgnoredPort[];
}

const maxNames = 32;

/** SERVICE_* that are no attributes: they say how, not what. */
const ownKeys = new Set("id name tags ip ipv6 port network internal register proto portless wan_ip".split(" "));

/**
 * What a container offers: the SERVICE_* model of the original registrator, and more. Pure; whatever stands in the container's
 * environment, labels and name, it returns.
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
  const none = (why: string): ServicesAnswer => ({ services: [], ignored: [{ port: "", why }] });
  if (options.filter && !options.filter.matches(container))
    return none(`-filter leaves it out: ${options.filter.text}`);
  if (options.compat) return compatServicesOf(container, options, lookup);
  const shared = sharedNetwork(container, lookup);
  if (shared && "why" in shared) return none(shared.why);
  const condition = healthOf(container, options);
  if ("why" in condition) return none(condition.why);

  const place = shared?.container ?? container;
  const metadata = containerMetadata(container.env, container.labels);
  const bindings = bindingsByPort(place);
  const ignored: IgnoredPort[] = [];
  const ports: Offer[] = [];
  for (const port of portsOf(container)) {
    const given = metadata(port.exposedPort, port.proto);
    const internal = isTrue(given.get("internal")) ?? options.internal ?? false;
    const all = bindingsOf(port, place, bindings);
    const why = leftOut(port, internal, all, given);
    if (why) ignored.push({ port: port.key, why });
    else ports.push({ port, given, internal, bindings: all });
  }
  // With several ports a SERVICE_PORT for all of them can only be a mistake.
  if (ports.length > 1) for (const offer of ports) offer.given = withoutSharedPort(offer.given);
  if (ports.length === 0 && ignored.length === 0) {
    const offer = withoutPorts(metadata("", ""), options);
    if (!offer) return none("no exposed or published ports");
    ports.push(offer);
  }
  const about = { container, place, options, health: condition.health, isGroup: ports.length > 1 };
  const services: Service[] = [];
  let letters = 0;
  for (const [i, offer] of ports.entries()) {
    const answer = servicesOfPort(about, offer);
    ignored.push(...answer.ignored);
    for (const service of answer.services) letters += lettersOf(service);
    if (letters > maxLetters || services.length + answer.services.length > maxServices) {
      const why = `it asks for too much: ${ports.length - i} of its ${ports.length} ports are left out`;
      ignored.push({ port: "", why });
      break;
    }
    services.push(...answer.services);
  }
  separateIds(services);
  return { services: services.sort(byId), ignored };
}

interface Offer {
  port: ContainerPort;
  given: Metadata;
  internal: boolean;
  bindings: readonly Binding[];
}

interface About {
  container: InspectedContainer;
  place: InspectedContainer;
  options: ServicesOptions;
  health: ServiceHealth | undefined;
  /** It has several ports: their numbers are parts of the names. */
  isGroup: boolean;
}

/** One service for each of the port's names at each of its bindings. */
function servicesOfPort(about: About, offer: Offer): ServicesAnswer {
  const { container, place, options, health, isGroup } = about;
  const { port, internal } = offer;
  const { given } = offer;
  const why = unwanted(given, options);
  if (why) return { services: [], ignored: [{ port: port.key, why }] };

  const names = splitTags(given.get("name") ?? "").slice(0, maxNames);
  const suffixed = port.proto !== "tcp";
  let said: Pick<Service, "tags" | "attrs"> | undefined;
  const bindings: (Binding | undefined)[] = [...offer.bindings];
  if (bindings.length === 0 || internal || given.get("port") || options.bindings === "first") bindings.splice(1);
  if (bindings.length === 0) bindings.push(undefined);

  const answer: ServicesAnswer = { services: [], ignored: [] };
  const seen = new Set<string>();
  for (const binding of bindings) {
    const at = addressOf({ container, place, port, binding, internal, given, options });
    if ("why" in at) {
      answer.ignored.push({ port: port.key, why: at.why });
      continue;
    }
    // A binding of each of the host's addresses is one and the same behind -ip.
    const reached = `${at.ip} ${at.port}`;
    if (seen.has(reached)) continue;
    said ??= {
      tags: combineTags([given.get("tags") ?? "", options.forceTags ?? "", suffixed ? port.proto : ""], false),
      attrs: Object.fromEntries([...given.all()].filter(([key]) => !ownKeys.has(key))),
    };
    const further = seen.size > 0 ? `:${binding?.host.hostPort ?? ""}` : "";
    seen.add(reached);
    for (const [i, name] of (names.length > 0 ? names : [imageName(container)]).entries()) {
      answer.services.push({
        id: `${given.get("id") || defaultId(container, port, options, suffixed)}${further}${i > 0 ? `:${name}` : ""}`,
        name: isGroup && !given.isOfPort("name") ? `${name}-${port.exposedPort}` : name,
        ip: at.ip,
        port: at.port,
        proto: port.proto,
        ...said,
        ttl: options.ttl ?? 0,
        exposedPort: port.exposedPort,
        ...(portNumber(binding?.host.hostPort ?? "") > 0 ? { hostPort: portNumber(binding?.host.hostPort ?? "") } : {}),
        containerHostname: container.hostname,
        ...(at.addresses ? { addresses: at.addresses } : {}),
        ...(health ? { health } : {}),
      });
    }
  }
  return answer;
}

function withoutSharedPort(given: Metadata): Metadata {
  return given.isOfPort("port") ? given : { ...given, get: (key) => (key === "port" ? undefined : given.get(key)) };
}

function unwanted(given: Metadata, options: ServicesOptions): string | undefined {
  const ignore = given.get("ignore") ?? "";
  if (ignore !== "" && isTrue(ignore) !== false) return "SERVICE_IGNORE is set";
  const register = given.get("register");
  if (isTrue(register) === false) return `SERVICE_REGISTER is ${register}`;
  if (options.optIn && !isTrue(register)) return "no SERVICE_REGISTER=true, and -opt-in asks for it";
  if (options.explicit && !given.get("name")) return "no SERVICE_NAME, and -explicit asks for one";
  return undefined;
}

/** SERVICE_PORT makes a port where Docker knows none; SERVICE_PORTLESS or -portless does without. */
function withoutPorts(given: Metadata, options: ServicesOptions): Offer | undefined {
  const number = given.get("port") ?? "";
  const asked = isTrue(given.get("portless")) ?? options.portless ?? false;
  if (portNumber(number) === 0 && !asked) return undefined;
  const said = (given.get("proto") ?? "").toLowerCase();
  const proto = said === "udp" || said === "sctp" ? said : "tcp";
  const exposedPort = portNumber(number) === 0 ? "" : number;
  return {
    port: { key: exposedPort && `${exposedPort}/${proto}`, exposedPort, proto },
    given,
    internal: isTrue(given.get("internal")) ?? options.internal ?? false,
    bindings: [],
  };
}

function leftOut(
  port: ContainerPort,
  internal: boolean,
  bindings: readonly Binding[],
  given: Metadata,
): string | undefined {
  if (portNumber(port.exposedPort) === 0) return "not a port number";
  const number = given.get("port");
  if (number) return portNumber(number) === 0 ? "SERVICE_PORT is not a port number" : undefined;
  if (internal) return undefined;
  if (bindings.length === 0) return "not published on the host";
  return bindings.some(({ host }) => portNumber(host.hostPort) > 0) ? undefined : "not a port number";
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

/** The repository's last part; the container's name when the image is known by its id alone. */
function imageName(container: Container): string {
  const repository = container.image.split("@")[0] ?? "";
  const name = repository.slice(repository.lastIndexOf("/") + 1).split(":")[0] ?? "";
  const isId = /^sha256:/.test(container.image) || /^[0-9a-f]{12}([0-9a-f]{52})?$/.test(container.image);
  return isId || name === "" ? container.name : name;
}

function defaultId(container: Container, port: ContainerPort, options: ServicesOptions, suffixed: boolean): string {
  const parts = [options.hostname, container.name, port.exposedPort, suffixed ? port.proto : ""];
  return parts.filter((part, i) => i < 2 || part !== "").join(":");
}

/** A SERVICE_ID for all ports would make them overwrite each other: each but a lone one gets its port. */
function separateIds(services: Service[]): void {
  const counts = new Map<string, number>();
  for (const { id } of services) counts.set(id, (counts.get(id) ?? 0) + 1);
  const taken = new Set<string>();
  for (const service of services) {
    if ((counts.get(service.id) ?? 0) > 1)
      service.id += `:${service.exposedPort}${service.proto === "tcp" ? "" : `:${service.proto}`}`;
    for (let i = 2; taken.has(service.id) && i < maxServices; i++) service.id = `${service.id}:${i}`;
    taken.add(service.id);
  }
}

/** undefined: neither. */
function isTrue(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(true|1|yes)$/i.test(text)) return true;
  return /^(false|0|no)$/i.test(text) ? false : undefined;
}

function byId(a: Service, b: Service): number {
  const left = `${a.id}|${a.exposedPort}/${a.proto}`;
  const right = `${b.id}|${b.exposedPort}/${b.proto}`;
  return left < right ? -1 : left > right ? 1 : 0;
}
