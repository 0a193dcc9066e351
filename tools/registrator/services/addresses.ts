import type { Container, ContainerNetwork } from "../../../lib/docker/containers.ts";
import { isIP, isIPv4 } from "../../../lib/runtime/ipAddress.ts";
import { type Binding, type ContainerPort, labelAddress, portNumber } from "./ports.ts";
import type { AddressName, ServiceAddress, ServicesOptions } from "./service.ts";
import { isInSubnet, parseSubnet } from "./subnet.ts";

/** Where a port is reached. */
export interface Place {
  ip: string;
  port: number;
  addresses?: Partial<Record<AddressName, ServiceAddress>>;
}

/** What decides where: the container, whose network it is on, and what it says of itself. */
export interface AddressQuestion {
  container: Container;
  /** The container itself but in `container:` mode. */
  place: Container;
  port: ContainerPort;
  /** undefined: not published. */
  binding: Binding | undefined;
  internal: boolean;
  /** SERVICE_IP, SERVICE_IPV6, SERVICE_PORT, SERVICE_NETWORK, SERVICE_WAN_IP. */
  given: Pick<ReadonlyMap<string, string>, "get">;
  options: ServicesOptions;
}

type Found = { v4?: ServiceAddress; v6?: ServiceAddress } | { why: string };

const wildcard = new Set(["", "0.0.0.0", "::"]);
/** Networks of Swarm's own, where no other container is reached. */
const swarmOwn = new Set(["ingress", "docker_gwbridge"]);

/**
 * Where the port is reached; or why that cannot be told. First SERVICE_IP, then the label of `-useIpFromLabel`. Else, published: `-ip`, the
 * binding's own address, the host name's; `-internal`: the container's on the chosen network, in host mode the host's.
 */
export function addressOf(question: AddressQuestion): Place | { why: string } {
  const { container, place, binding, internal, given, options } = question;
  const own = given.get("ip") || labelAddress(container, options.ipLabel);
  const isPublished = !internal || place.networkMode === "host";
  const number = portNumber(
    given.get("port") || (isPublished ? (binding?.host.hostPort ?? "") : question.port.exposedPort),
  );
  const from = given.get("ip") ? "SERVICE_IP" : `label ${options.ipLabel}`;
  const found = own ? oneOf(own, number, from) : isPublished ? hostSide(question, number) : ownSide(question, number);
  if ("why" in found) return found;
  const sixth = given.get("ipv6");
  if (sixth) {
    const six = oneOf(sixth, number, "SERVICE_IPV6");
    if ("why" in six) return six;
    Object.assign(found, six);
  }
  return withTags(found, question);
}

/** The host's own address for a published port. */
function hostSide({ binding, options }: AddressQuestion, port: number): Found {
  const bound = binding?.host.hostIp ?? "";
  const six = binding?.v6;
  const six6 = options.hostIp6 || (six && !wildcard.has(six.hostIp) ? six.hostIp : "");
  const v6 = six && six6 ? oneOf(six6, portNumber(six.hostPort) || port, "-ip6") : {};
  if ("why" in v6) return v6;
  const isSix = bound.includes(":") && bound !== "";
  if (isSix && options.hostIp6 && wildcard.has(bound)) return oneOf(options.hostIp6, port, "-ip6");
  const ip = options.hostIp || (wildcard.has(bound) ? (options.hostnameIp ?? "") : bound);
  if (ip === "" && "v6" in v6) return v6;
  if (ip === "") return { why: `the host's address is not known: "${options.hostname}" does not resolve; give -ip` };
  const one = oneOf(ip, port, options.hostIp ? "-ip" : "the port's binding");
  return "why" in one ? one : { ...v6, ...one };
}

/** The container's own address. */
function ownSide({ place, given, options }: AddressQuestion, port: number): Found {
  const wanted = given.get("network") || options.network || "";
  const network = networkOf(place, wanted);
  if (!network)
    return { why: wanted ? `no address on network ${wanted.slice(0, 64)}` : "the container has no address of its own" };
  const { ipv4, ipv6, name } = network;
  const v4 = ipv4 ? oneOf(ipv4, port, `network ${name}`) : {};
  const v6 = ipv6 ? oneOf(ipv6, port, `network ${name}`) : {};
  if ("why" in v4) return v4;
  if ("why" in v6) return v6;
  return { ...v4, ...v6 };
}

/** The first that fits of several names, subnets and label:KEY; without any, the one of its mode. */
function networkOf(place: Container, wanted: string): ContainerNetwork | undefined {
  const withAddress = place.networks.filter(({ ipv4, ipv6 }) => ipv4 !== "" || ipv6 !== "");
  if (wanted === "") {
    return (
      withAddress.find(({ name }) => name === place.networkMode) ??
      withAddress.find(({ name }) => !swarmOwn.has(name)) ??
      withAddress[0]
    );
  }
  for (const word of wanted.split(",").slice(0, 16)) {
    let text = word.trim();
    if (text.startsWith("label:")) {
      const key = text.slice("label:".length);
      text = Object.hasOwn(place.labels, key) ? (place.labels[key] ?? "") : "";
    }
    const subnet = text.includes("/") ? parseSubnet(text) : undefined;
    const found = subnet
      ? withAddress.find(({ ipv4, ipv6 }) => isInSubnet(ipv4, subnet) || isInSubnet(ipv6, subnet))
      : withAddress.find(({ name }) => name === text);
    if (found) return found;
  }
  return undefined;
}

function oneOf(ip: string, port: number, from: string): { v4?: ServiceAddress; v6?: ServiceAddress } | { why: string } {
  if (!isIP(ip) || ip.includes("%")) return { why: `${from} gives no IP address: ${JSON.stringify(ip.slice(0, 64))}` };
  return isIPv4(ip) ? { v4: { ip, port } } : { v6: { ip, port } };
}

/** The address that counts, and what else is known beside it. */
function withTags(
  { v4, v6 }: { v4?: ServiceAddress; v6?: ServiceAddress },
  { binding, given, options }: AddressQuestion,
): Place | { why: string } {
  const main = (options.family === "ipv6" ? (v6 ?? v4) : (v4 ?? v6)) ?? { ip: "", port: 0 };
  const outside = given.get("wan_ip") || (binding ? options.wanIp : "");
  if ((!v4 || !v6) && !outside) return main;
  const addresses: Place["addresses"] = { lan: main, ...(v4 ? { lan_ipv4: v4 } : {}), ...(v6 ? { lan_ipv6: v6 } : {}) };
  if (outside) {
    const wan = oneOf(outside, portNumber(binding?.host.hostPort ?? "") || main.port, "the address outside");
    if ("why" in wan) return wan;
    const one = wan.v4 ?? wan.v6;
    if (one) Object.assign(addresses, { wan: one, [wan.v4 ? "wan_ipv4" : "wan_ipv6"]: one });
  }
  return { ...main, addresses };
}
