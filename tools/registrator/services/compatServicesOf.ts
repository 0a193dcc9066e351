import type { Container } from "../../../lib/docker/containers.ts";
import { lettersOf, maxLetters, maxServices } from "./limits.ts";
import { compatMetadata } from "./metadata.ts";
import { type InspectedContainer, type Lookup, labelAddress, portNumber } from "./ports.ts";
import type { IgnoredPort, Service, ServicesOptions } from "./service.ts";
import { combineTags } from "./tags.ts";

interface Candidate {
  key: string;
  exposedPort: string;
  proto: string;
  /** "" when it is not published. */
  hostPort: string;
  hostIp: string;
}

/** The original's services of a container, its bugs included. */
export function compatServicesOf(
  container: InspectedContainer,
  options: ServicesOptions,
  lookup: Lookup,
): { services: Service[]; ignored: IgnoredPort[] } {
  const ignored: IgnoredPort[] = [];
  const all = candidatesOf(container);
  if (all.length === 0) ignored.push({ port: "", why: "no exposed or published ports" });
  const ports = all.filter((port) => {
    const isOut = !options.internal && port.hostPort === "";
    if (isOut) ignored.push({ port: port.key, why: "not published on the host" });
    return !isOut;
  });
  const services: Service[] = [];
  let letters = 0;
  for (const [i, port] of ports.entries()) {
    if (letters > maxLetters || services.length >= maxServices) {
      const why = `it asks for too much: ${ports.length - i} of its ${ports.length} ports are left out`;
      ignored.push({ port: "", why });
      break;
    }
    const { values, ofPort } = compatMetadata(container.env, container.labels, port.exposedPort);
    const name = values.get("name") ?? "";
    const why = values.get("ignore")
      ? "SERVICE_IGNORE is set"
      : name === "" && options.explicit
        ? "no SERVICE_NAME, and -explicit asks for one"
        : undefined;
    if (why) {
      ignored.push({ port: port.key, why });
      continue;
    }
    const full = name || imageName(container.image);
    const isUdp = port.proto === "udp";
    const service: Service = {
      id: values.get("id") || defaultId(container, port, options, isUdp),
      name: ports.length > 1 && !ofPort.has("name") ? `${full}-${port.exposedPort}` : full,
      ip: addressOf(container, port, options, lookup),
      port: portNumber(options.internal ? port.exposedPort : port.hostPort),
      proto: port.proto,
      tags: combineTags([values.get("tags") ?? "", options.forceTags ?? "", isUdp ? "udp" : ""], true),
      attrs: Object.fromEntries([...values].filter(([key]) => key !== "id" && key !== "name" && key !== "tags")),
      ttl: options.ttl ?? 0,
      exposedPort: port.exposedPort,
      ...(portNumber(port.hostPort) > 0 ? { hostPort: portNumber(port.hostPort) } : {}),
      containerHostname: container.hostname,
    };
    services.push(service);
    letters += lettersOf(service);
  }
  return { services: services.sort(byId), ignored };
}

/** The ports that the container exposes or publishes; the first binding of each. */
function candidatesOf(container: Container): Candidate[] {
  const found = new Map<string, Candidate>();
  const add = (key: string, hostPort: string, hostIp: string) => {
    const parts = key.split("/");
    const [exposedPort = ""] = parts;
    const proto = parts.length === 2 ? (parts[1] ?? "") : "tcp";
    found.set(key, { key, exposedPort, proto, hostPort, hostIp: hostIp || "0.0.0.0" });
  };
  for (const key of container.exposedPorts) add(key, key.split("/")[0] ?? "", "0.0.0.0");
  const bound = new Set<string>();
  for (const { port, hostPort, hostIp } of container.ports) {
    if (bound.has(port)) continue;
    bound.add(port);
    add(port, hostPort, hostIp);
  }
  return [...found.values()];
}

/** The original's address rules in its order; "" where it had none. */
function addressOf(container: InspectedContainer, port: Candidate, options: ServicesOptions, lookup: Lookup): string {
  const mode = container.networkMode;
  let hostIp = port.hostIp;
  if (!["bridge", "default", "host"].includes(mode)) {
    hostIp = container.networks.find((network) => network.name === mode)?.ipv4 ?? "";
  }
  if (hostIp === "0.0.0.0" && options.hostnameIp) hostIp = options.hostnameIp;
  if (options.hostIp) hostIp = options.hostIp;

  let ip = hostIp;
  if (options.internal) ip = topLevelIp(container) || (container.networks.at(-1)?.ipv4 ?? "");
  ip = labelAddress(container, options.ipLabel) ?? ip;
  if (mode.startsWith("container:")) {
    const other = lookup(mode.split(":")[1] ?? "");
    if (other) ip = topLevelIp(other);
  }
  return ip;
}

/** What stood at NetworkSettings.IPAddress: the address on Docker's default bridge. */
function topLevelIp(container: InspectedContainer): string {
  return container.topLevelIp ?? container.networks.find(({ name }) => name === "bridge")?.ipv4 ?? "";
}

/** Go's path.Base, cut at the first colon: a digest leaves its "@sha256" behind. */
function imageName(image: string): string {
  const path = image.replace(/\/+$/, "");
  const base = path === "" ? (image === "" ? "." : "/") : path.slice(path.lastIndexOf("/") + 1);
  return base.split(":")[0] ?? "";
}

function defaultId(container: Container, port: Candidate, options: ServicesOptions, isUdp: boolean): string {
  const host = options.hostname || port.hostIp;
  return `${host}:${container.name}:${port.exposedPort}${isUdp ? ":udp" : ""}`;
}

function byId(a: Service, b: Service): number {
  const left = `${a.id}|${a.exposedPort}/${a.proto}`;
  const right = `${b.id}|${b.exposedPort}/${b.proto}`;
  return left < right ? -1 : left > right ? 1 : 0;
}
