import { createHash } from "node:crypto";
import type { Instance } from "../../../../lib/discovery/discovery.ts";
import { isIP, isIPv6 } from "../../../../lib/runtime/ipAddress.ts";
import type { CheckSpec, ConsulStatus } from "./checkSpec.ts";
import { type AgentNode, type ConsulFields, fieldsOf, registrationKey } from "./registration.ts";

/** What a check of our own agent says now; without it, the instance's state speaks for all its checks. */
export type CheckReport = (serviceId: string, checkId: string) => { status: ConsulStatus; output: string } | undefined;

/** An instance in Consul's words. */
export interface Viewed {
  service: string;
  instance: Instance;
  /** Undefined: it came by discoverd's own API. */
  fields: ConsulFields | undefined;
  id: string;
  name: string;
  tags: string[];
  node: AgentNode;
  address: string;
  port: number;
  index: number;
}

export const datacenter = "dc1";

/** What came by discoverd's own API is on a node named as its host; registrator's `tags` and `name` are understood. */
export function viewed(service: string, instance: Instance): Viewed {
  const fields = fieldsOf(instance);
  const { host, port } = splitAddr(instance.addr);
  const { meta = {}, index = 1 } = instance;
  return {
    service,
    instance,
    fields,
    id: fields?.id ?? meta.id ?? instance.id,
    name: fields?.name ?? service,
    tags: fields?.tags ?? splitTags(meta.tags ?? ""),
    node: fields ? { name: fields.node, address: fields.address } : { name: host, address: host },
    address: fields?.bare ? "" : host,
    port,
    index,
  };
}

export function nodeView(node: AgentNode, index = 1): object {
  const tagged = taggedNode(node.address);
  return {
    ID: nodeId(node.name),
    Node: node.name,
    Address: node.address,
    Datacenter: datacenter,
    TaggedAddresses: tagged,
    Meta: {},
    CreateIndex: index,
    ModifyIndex: index,
  };
}

/** An entry of /v1/catalog/service/:name. */
export function catalogView(seen: Viewed): object {
  const { node, instance } = seen;
  const addresses = taggedService(seen);
  return {
    ID: nodeId(node.name),
    Node: node.name,
    Address: node.address,
    Datacenter: datacenter,
    TaggedAddresses: taggedNode(node.address),
    NodeMeta: {},
    ServiceKind: "",
    ServiceID: seen.id,
    ServiceName: seen.name,
    ServiceTags: seen.tags,
    ServiceAddress: seen.address,
    ...(addresses ? { ServiceTaggedAddresses: addresses } : {}),
    ServiceWeights: weights(instance),
    ServiceMeta: userMeta(instance),
    ServicePort: seen.port,
    ServicePorts: null,
    ServiceSocketPath: "",
    ServiceEnableTagOverride: false,
    ServiceProxy: { Mode: "", MeshGateway: {}, Expose: {} },
    ServiceConnect: {},
    ServiceLocality: null,
    CreateIndex: seen.index,
    ModifyIndex: seen.index,
  };
}

/** `Service` in /v1/health/service/:name and on a node. */
export function serviceView(seen: Viewed): object {
  const addresses = taggedService(seen);
  const meta = userMeta(seen.instance);
  return {
    ID: seen.id,
    Service: seen.name,
    Tags: seen.tags,
    Address: seen.address,
    ...(addresses ? { TaggedAddresses: addresses } : {}),
    Meta: Object.keys(meta).length > 0 ? meta : null,
    Port: seen.port,
    Weights: weights(seen.instance),
    EnableTagOverride: false,
    Proxy: { Mode: "", MeshGateway: {}, Expose: {} },
    Connect: {},
    PeerName: "",
    CreateIndex: seen.index,
    ModifyIndex: seen.index,
  };
}

/** An entry of /v1/agent/services. */
export function agentServiceView(seen: Viewed): Record<string, unknown> {
  const addresses = taggedService(seen);
  return {
    ID: seen.id,
    Service: seen.name,
    Tags: seen.tags,
    Meta: userMeta(seen.instance),
    Port: seen.port,
    Address: seen.address,
    ...(addresses ? { TaggedAddresses: addresses } : {}),
    Weights: weights(seen.instance),
    EnableTagOverride: false,
    Datacenter: datacenter,
  };
}

/** An entry of /v1/health/service/:name. */
export function healthView(seen: Viewed, report: CheckReport): { Node: object; Service: object; Checks: CheckView[] } {
  return {
    Node: nodeView(seen.node),
    Service: serviceView(seen),
    Checks: [serfHealth(seen.node), ...checksOf(seen, report)],
  };
}

export interface CheckView {
  Node: string;
  CheckID: string;
  Name: string;
  Status: ConsulStatus;
  [field: string]: unknown;
}

export function serfHealth(node: AgentNode): CheckView {
  return checkView({
    node: node.name,
    id: "serfHealth",
    name: "Serf Health Status",
    status: "passing",
    output: "Agent alive and reachable",
  });
}

/**
 * The checks of an instance: those that it was registered with, one for maintenance, and one for a state that none of them explains
 * (draining, or what discoverd's own checks say).
 */
export function checksOf(seen: Viewed, report: CheckReport): CheckView[] {
  const { instance, fields } = seen;
  const { state = "up", reason = "" } = instance;
  const owner = { node: seen.node.name, service: seen };
  const shown = statusOf(state);
  const checks = (fields?.checks ?? []).map((spec) => {
    const now = report(seen.id, spec.id) ?? { status: shown, output: reason };
    return checkView({ ...owner, id: spec.id, name: spec.name, ...now, spec });
  });
  if (state === "maintenance") {
    const id = `_service_maintenance:${seen.id}`;
    checks.unshift(
      checkView({
        ...owner,
        id,
        name: "Service Maintenance Mode",
        status: "critical",
        output: "",
        notes: reason,
        type: "maintenance",
      }),
    );
  } else if (checks.every(({ Status }) => rank[Status] < rank[shown])) {
    checks.push(
      checkView({
        ...owner,
        id: `discoverd:${seen.id}`,
        name: "State in discoverd",
        status: shown,
        output: reason || state,
      }),
    );
  }
  return checks.filter((check) => check.Status !== "passing" || !check.CheckID.startsWith("discoverd:"));
}

export const rank: Record<ConsulStatus, number> = { passing: 0, warning: 1, critical: 2 };

/** What is not to be used is critical to Consul's clients. */
export function statusOf(state: NonNullable<Instance["state"]>): ConsulStatus {
  return state === "up" ? "passing" : state === "warning" ? "warning" : "critical";
}

function checkView(check: {
  node: string;
  id: string;
  name: string;
  status: ConsulStatus;
  output: string;
  service?: Viewed;
  spec?: CheckSpec;
  notes?: string;
  type?: string;
}): CheckView {
  const { service, spec } = check;
  const index = service?.index ?? 1;
  return {
    Node: check.node,
    CheckID: check.id,
    Name: check.name,
    Status: check.status,
    Notes: check.notes ?? spec?.notes ?? "",
    Output: check.output,
    ServiceID: service?.id ?? "",
    ServiceName: service?.name ?? "",
    ServiceTags: service?.tags ?? [],
    Type: check.type ?? spec?.definition.type ?? "",
    Interval: spec?.interval ?? "",
    Timeout: spec?.timeout ?? "",
    ExposedPort: 0,
    Definition: {},
    CreateIndex: index,
    ModifyIndex: index,
  };
}

/** A UUID that is the same on every daemon. */
export function nodeId(name: string): string {
  const hex = createHash("md5").update(name).digest("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function userMeta({ meta = {} }: Instance): Record<string, string> {
  if (!(registrationKey in meta)) return meta;
  const { [registrationKey]: _ours, ...users } = meta;
  return users;
}

function weights({ weight = 1 }: Instance): { Passing: number; Warning: number } {
  return { Passing: weight, Warning: weight > 1 ? 1 : weight };
}

function taggedNode(address: string): Record<string, string> {
  const family = !isIP(address) ? undefined : isIPv6(address) ? "ipv6" : "ipv4";
  if (!family) return { lan: address, wan: address };
  return { lan: address, [`lan_${family}`]: address, wan: address, [`wan_${family}`]: address };
}

function taggedService({ address, port }: Viewed): Record<string, { Address: string; Port: number }> | undefined {
  if (!isIP(address)) return undefined;
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  const at = { Address: address, Port: port };
  return { [`lan_${family}`]: at, [`wan_${family}`]: at };
}

function splitAddr(addr: string): { host: string; port: number } {
  const colon = addr.lastIndexOf(":");
  return { host: addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(addr.slice(colon + 1)) };
}

/** registrator's way to keep tags in one text: commas between them, `\,` is a comma. */
function splitTags(text: string): string[] {
  if (text === "") return [];
  return (text.match(/(?:\\,|[^,])+/g) ?? []).map((tag) => tag.replaceAll("\\,", ","));
}
