import type { Instance } from "../../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../../lib/discovery/instanceId.ts";
import { isIP, isIPv6 } from "../../../../lib/runtime/ipAddress.ts";
import type { ServiceBody } from "./bodySchemas.ts";
import { type CheckSpec, checkSpec } from "./checkSpec.ts";
import { ConsulRefusal } from "./refusal.ts";

/** What discovery has no field for; kept as JSON in the instance's meta under `registrationKey`, so that every daemon shows it. */
export interface ConsulFields {
  id: string;
  /** As it was asked for. */
  name: string;
  tags: string[];
  /** The node whose agent took it, and its address. */
  node: string;
  address: string;
  /** The registration named no address: the node's counts. */
  bare?: true;
  checks?: CheckSpec[];
}

/** No name that Consul lets users have in Meta: it has a dot. */
export const registrationKey = "consul.registration";

/** This agent: its node's name and address. */
export interface AgentNode {
  name: string;
  address: string;
}

export interface Registration {
  fields: ConsulFields;
  service: string;
  instance: Instance;
}

/**
 * From the body of `PUT /v1/agent/service/register` to an instance. `udp` among the tags makes the protocol udp, else it is tcp.
 * @throws {ConsulRefusal} 400
 */
export function registrationOf(body: ServiceBody, node: AgentNode): Registration {
  const { name = "", tags = [], port = 0, meta = {} } = body;
  if (name === "") throw new ConsulRefusal(400, "Missing service name");
  const service = serviceName(name);
  if (service === "" || /\p{Cc}/u.test(name) || name.length > 255) {
    throw new ConsulRefusal(
      400,
      `Invalid service name ${JSON.stringify(name.slice(0, 64))}: letters, digits and dashes are kept`,
    );
  }
  const id = body.id || name;
  if (/[\p{Cc}/?#]/u.test(id) || id.length > 255) throw new ConsulRefusal(400, "Invalid service ID");
  if (port < 1 || port > 65_535)
    throw new ConsulRefusal(400, `Invalid port ${port}: discoverd's instances have one, from 1 to 65535`);
  const host = body.address || node.address;
  if (!isIP(host) && !/^[a-z0-9_]([a-z0-9_.-]{0,252})$/i.test(host))
    throw new ConsulRefusal(400, "Invalid service address");
  checkMeta(meta);
  const given = [...(body.check ? [body.check] : []), ...(body.checks ?? [])].filter((each) => each !== undefined);
  const checks = given.map((each, i) => {
    const own = given.length === 1 ? `service:${id}` : `service:${id}:${i + 1}`;
    return checkSpec(each, { id: own, name: `Service '${name}' check` });
  });
  const fields: ConsulFields = {
    id,
    name,
    tags,
    node: node.name,
    address: node.address,
    ...(body.address ? {} : { bare: true }),
    ...(checks.length > 0 ? { checks } : {}),
  };
  const proto = tags.includes("udp") ? "udp" : "tcp";
  const addr = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  const weight = body.weights?.passing;
  const instance: Instance = {
    id: instanceId(proto, addr),
    addr,
    proto,
    meta: withFields(meta, fields),
    ...(weight === undefined || weight === 1 ? {} : { weight }),
  };
  return { fields, service, instance };
}

export function withFields(meta: Readonly<Record<string, string>>, fields: ConsulFields): Record<string, string> {
  return { ...meta, [registrationKey]: JSON.stringify(fields) };
}

const known = new WeakMap<Instance, ConsulFields | null>();

/** What a registration through this face left in the instance; undefined when it came another way (or wrote what it should not). */
export function fieldsOf(instance: Instance): ConsulFields | undefined {
  const cached = known.get(instance);
  if (cached !== undefined) return cached ?? undefined;
  const read = readFields(instance.meta?.[registrationKey]);
  known.set(instance, read ?? null);
  return read;
}

function readFields(text: string | undefined): ConsulFields | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<ConsulFields> | null;
    const texts = [value?.id, value?.name, value?.node, value?.address];
    if (!value || !texts.every((each) => typeof each === "string") || !isTexts(value.tags)) return undefined;
    if (value.checks !== undefined && !(Array.isArray(value.checks) && value.checks.every(isSpec))) return undefined;
    return value as ConsulFields;
  } catch {
    return undefined; // somebody else's text under our key
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isSpec(value: unknown): boolean {
  const { id, name, definition } = (value ?? {}) as Partial<CheckSpec>;
  const types = ["ttl", "tcp", "http", "grpc"];
  return typeof id === "string" && typeof name === "string" && types.includes(definition?.type ?? "");
}

/**
 * The discovery service that stands for a Consul service: lower case, what is no letter, digit or dash becomes a dash.
 *
 * @example
 * serviceName("My_App"); // "my-app"
 */
export function serviceName(name: string): string {
  return name
    .toLowerCase()
    .slice(0, 255)
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

function checkMeta(meta: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(meta);
  if (pairs.length > 64)
    throw new ConsulRefusal(400, `Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs`);
  for (const [key, value] of pairs) {
    const wrong = !/^[A-Za-z0-9_-]{1,128}$/.test(key)
      ? "Key contains invalid characters or is longer than 128"
      : value.length > 512
        ? "Value is longer than 512"
        : undefined;
    if (wrong)
      throw new ConsulRefusal(
        400,
        `Invalid Service Meta: Couldn't load metadata pair ('${key.slice(0, 128)}'): ${wrong}`,
      );
  }
}
