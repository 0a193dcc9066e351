import type { Instance, InstanceState } from "../../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../../lib/discovery/instanceId.ts";
import { isIP, isIPv6 } from "../../../../lib/runtime/ipAddress.ts";
import type { Service } from "../../services/service.ts";
import type { ServiceHealth } from "../../services/serviceHealth.ts";
import { joinTags } from "../../services/tags.ts";
import { type Entry, EntryRefused, type Origin } from "../registry.ts";

/** An instance in its service. */
export interface DiscoveryPayload {
  service: string;
  instance: Instance;
  state: DiscoveryState;
}

/** What registrator says of an instance's state. */
export interface DiscoveryState {
  state: InstanceState;
  reason: string;
}

/** How the reasons of the states begin that registrator set: others' are theirs. */
export const stateReason = "registrator: ";
const maxReason = 256;

/** The instance's meta that registrator writes itself; what a container asks for under these keys is dropped. */
export const reservedMeta = {
  engine: "docker.engine",
  container: "docker.container",
  containerName: "docker.name",
  tags: "tags",
  id: "id",
  /** The name that was asked for, where discovery needs another. */
  name: "name",
} as const;

const reserved = new Set<string>(Object.values(reservedMeta));
const maxAttrs = 64;
const maxKey = 128;
const maxValue = 4096;
const maxName = 63;

/**
 * A service as discovery holds it: the name in [a-z0-9-] (a DNS label), SERVICE_* attributes, tags and the owner stamp as meta.
 * @throws {EntryRefused} no letter of the name is left, or there is no address or port
 */
export function discoveryEntry(service: Service, origin: Origin): Entry<DiscoveryPayload> {
  const name = discoveryName(service.name);
  if (name === "")
    throw new EntryRefused(
      `no letter of the name ${JSON.stringify(service.name.slice(0, 64))} can be a service's: a-z, 0-9 and - can`,
    );
  if (!isIP(service.ip)) throw new EntryRefused(`it has no IP address: ${JSON.stringify(service.ip.slice(0, 64))}`);
  if (service.port === 0) throw new EntryRefused("it has no port");
  const addr = isIPv6(service.ip) ? `[${service.ip}]:${service.port}` : `${service.ip}:${service.port}`;
  const meta: Record<string, string> = {
    ...cleanAttrs(service.attrs),
    [reservedMeta.engine]: origin.owner,
    [reservedMeta.container]: origin.containerId,
    [reservedMeta.containerName]: cleanText(origin.containerName, maxValue),
    [reservedMeta.id]: cleanText(service.id, maxValue),
    ...(service.tags.length > 0 ? { [reservedMeta.tags]: cleanText(joinTags(service.tags), maxValue) } : {}),
    ...(name === service.name ? {} : { [reservedMeta.name]: cleanText(service.name, maxValue) }),
  };
  const instance = { id: instanceId(service.proto, addr), addr, proto: service.proto, meta };
  return entryOf(name, instance, stateOf(service.health));
}

/** Docker's words for it, in discovery's. */
function stateOf(health: ServiceHealth | undefined): DiscoveryState {
  if (!health || health.state === "passing") return { state: "up", reason: "" };
  const states = { warning: "warning", critical: "down", draining: "draining", maintenance: "maintenance" } as const;
  const reason = cleanText(`${stateReason}${health.output}`, maxReason).trimEnd();
  return { state: states[health.state], reason };
}

/**
 * What stands in discovery, as an entry.
 * @param said the state that we gave it; where another's word goes before ours, it is still that
 */
export function entryOfInstance(
  service: string,
  instance: Instance,
  said: InstanceState = "up",
): Entry<DiscoveryPayload> {
  const { state = "up", reason = "" } = instance;
  // "up" is nobody's word against it, so that ours is gone too.
  const isOurs = state === "up" || reason.startsWith(stateReason);
  return entryOf(service, instance, { state: isOurs ? state : said, reason });
}

function entryOf(service: string, instance: Instance, state: DiscoveryState): Entry<DiscoveryPayload> {
  const meta = instance.meta ?? {};
  const pairs = Object.entries(meta).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    key: `${service}/${instance.id}`,
    owner: meta[reservedMeta.engine] ?? "",
    containerId: meta[reservedMeta.container] ?? "",
    containerName: meta[reservedMeta.containerName] ?? "",
    service,
    address: instance.addr,
    // Why it is in its state changes with each check: not compared.
    fingerprint: JSON.stringify([instance.addr, instance.proto, pairs, state.state]),
    payload: { service, instance: { id: instance.id, addr: instance.addr, proto: instance.proto, meta }, state },
  };
}

/**
 * Lower case; what is no letter, digit or dash becomes a dash; at most 63 long; "" when nothing is left.
 *
 * @example
 * discoveryName("My_App.v2"); // "my-app-v2"
 */
export function discoveryName(name: string): string {
  return name
    .toLowerCase()
    .slice(0, 255)
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, maxName)
    .replace(/-+$/, "");
}

/** At most 64 attributes in their keys' order, without control characters, cut at the registry's bounds. */
function cleanAttrs(attrs: Readonly<Record<string, string>>): Record<string, string> {
  const clean = Object.entries(attrs)
    .map(([key, value]) => [cleanText(key, maxKey), cleanText(value, maxValue)] as const)
    .filter(([key]) => key !== "" && key !== "__proto__" && !reserved.has(key) && !key.startsWith("docker."))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .slice(0, maxAttrs);
  return Object.fromEntries(clean);
}

function cleanText(text: string, max: number): string {
  return text
    .replace(/\p{Cc}/gu, " ")
    .toWellFormed()
    .slice(0, max)
    .toWellFormed();
}
