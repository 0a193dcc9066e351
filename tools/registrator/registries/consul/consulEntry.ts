import { createHash } from "node:crypto";
import { z } from "zod";
import { isIP } from "../../../../lib/runtime/ipAddress.ts";
import type { Service } from "../../services/service.ts";
import { isAside } from "../../services/serviceHealth.ts";
import { type Entry, EntryRefused, type Origin } from "../registry.ts";
import { compatCheck } from "./compatCheck.ts";
import { type ConsulCheck, consulChecks } from "./consulChecks.ts";
import { type ConsulConnect, consulConnect } from "./consulConnect.ts";
import { consulMeta } from "./consulMeta.ts";

/** The body of PUT /v1/agent/service/register (https://developer.hashicorp.com/consul/api-docs/agent/service). */
export interface ConsulRegistration {
  ID: string;
  Name: string;
  Tags?: readonly string[];
  Port?: number;
  Address?: string;
  TaggedAddresses?: Record<string, { Address: string; Port: number }>;
  EnableTagOverride?: boolean;
  Meta?: Record<string, string>;
  Weights?: { Passing: number; Warning: number };
  Check: ConsulCheck | null;
  Checks: readonly ConsulCheck[] | null;
  Connect?: ConsulConnect;
}

/** What stands in an agent under one ID. */
export interface ConsulPayload {
  registration: ConsulRegistration;
  /** Equal when the registration need not be written. */
  standing: string;
  state: ConsulState;
  /** Said with the state; not compared: a check's words change each time. */
  output: string;
}

/** "none": Docker knows nothing of its health, and no check of ours is there. */
export type ConsulState = "none" | "passing" | "warning" | "critical" | "maintenance";

const engineKey = "registrator-engine";
const containerKey = "registrator-container";
const containerNameKey = "registrator-name";
/** A hash of what an agent does not tell with the service: checks, weights, other addresses. */
const restKey = "registrator-rest";

/** The check that has the container's health. */
export const healthCheckId = (id: string) => `registrator-health:${id}`;
/** Consul's own check of a service in maintenance; its notes say who did it. */
export const maintenanceCheckId = (id: string) => `_service_maintenance:${id}`;
/** How the notes of a maintenance of ours begin. */
export const maintenanceReason = "registrator: ";
/** Our checks are written when they change; Consul's clock shall not decide. */
const healthTtl = "87600h";
const maxOutput = 4096;

/**
 * A service as a Consul agent holds it; attributes become Meta, as far as Consul takes them.
 *
 * @param options.compat exactly the original's body, which has no owner stamp
 * @throws {EntryRefused}
 */
export function consulEntry(
  service: Service,
  origin: Origin,
  { compat = false }: { compat?: boolean } = {},
): Entry<ConsulPayload> {
  if (/[\p{Cc}/?#]/u.test(service.id) || service.id === "") {
    throw new EntryRefused(`the ID ${JSON.stringify(service.id.slice(0, 64))} is none that Consul can take out again`);
  }
  if (/\p{Cc}/u.test(service.name) || service.name === "") {
    throw new EntryRefused(`Consul has no service named ${JSON.stringify(service.name.slice(0, 64))}`);
  }
  const warnings: string[] = [];
  const registration = compat ? compatBody(service, origin) : body(service, origin, (text) => warnings.push(text));
  const state = compat ? "none" : isAside(service.health) ? "maintenance" : (checkedHealth(service) ?? "none");
  const entry = entryOf(registration, state, service.health?.output.slice(0, maxOutput) ?? "");
  return {
    ...entry,
    owner: origin.owner,
    containerId: origin.containerId,
    containerName: origin.containerName,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

/** In the original's order, with what it left out left out. */
function compatBody(service: Service, { containerId }: Origin): ConsulRegistration {
  const meta = Object.entries(service.attrs).sort(byKey);
  return {
    ID: service.id.toWellFormed(),
    Name: service.name.toWellFormed(),
    ...(service.tags.length > 0 ? { Tags: service.tags.map((tag) => tag.toWellFormed()) } : {}),
    ...(service.port > 0 ? { Port: service.port } : {}),
    ...(service.ip === "" ? {} : { Address: service.ip }),
    ...(meta.length > 0 ? { Meta: Object.fromEntries(meta) } : {}),
    Check: compatCheck(service, containerId) ?? null,
    Checks: null,
  };
}

function body(service: Service, origin: Origin, warn: (text: string) => void): ConsulRegistration {
  const { attrs } = service;
  const health = checkedHealth(service);
  const checks = consulChecks(service, origin.containerId, warn);
  const [only] = checks;
  const isAlone = checks.length === 1 && !health && only && !("CheckID" in only);
  const connect = consulConnect(service, warn);
  const weights = weightsOf(attrs, warn);
  const tagOverride = Object.hasOwn(attrs, "enable_tag_override") && isOn(attrs.enable_tag_override ?? "");
  const addresses = Object.entries(service.addresses ?? {}).map(
    ([name, { ip, port }]) => [name, { Address: ip, Port: port }] as const,
  );
  const rest = {
    ...(addresses.length > 0 ? { TaggedAddresses: Object.fromEntries(addresses) } : {}),
    ...(tagOverride ? { EnableTagOverride: true } : {}),
    ...(weights ? { Weights: weights } : {}),
    ...(connect ? { Connect: connect } : {}),
    Check: isAlone ? only : null,
    Checks: isAlone
      ? null
      : checks.length > 0 || health
        ? [...checks, ...(health ? [healthCheck(service.id, health)] : [])]
        : null,
  };
  const tags = service.tags.map((tag) => tag.toWellFormed());
  // The health check's Status is where it stands now, and is compared apart.
  const told = JSON.stringify([{ ...rest, Checks: checks }, health !== undefined]);
  const isPlain = checks.length === 0 && !health && Object.keys(rest).length === 2;
  const stamp = {
    [engineKey]: cut(origin.owner),
    [containerKey]: cut(origin.containerId),
    [containerNameKey]: cut(origin.containerName),
    ...(isPlain ? {} : { [restKey]: hash(`${told}${tagOverride ? JSON.stringify(tags) : ""}`) }),
  };
  return {
    ID: service.id.toWellFormed(),
    Name: service.name.toWellFormed(),
    Tags: tags,
    Port: service.port,
    // Consul takes any text for an address: a host's name too.
    Address: service.ip,
    Meta: consulMeta(attrs, stamp, warn),
    ...rest,
  };
}

/** What Docker's own health check says, maintenance or not. */
function checkedHealth({ health }: Service): "passing" | "warning" | "critical" | undefined {
  if (health?.state === "draining" || health?.state === "maintenance") return health.checked;
  return health?.state;
}

function healthCheck(id: string, status: string): ConsulCheck {
  return {
    CheckID: healthCheckId(id.toWellFormed()),
    Name: "Docker",
    Notes: "what Docker says of the container",
    TTL: healthTtl,
    Status: status,
  };
}

function weightsOf(
  attrs: Readonly<Record<string, string>>,
  warn: (text: string) => void,
): ConsulRegistration["Weights"] {
  const read = (key: string, least: number): number | undefined => {
    const text = Object.hasOwn(attrs, key) ? attrs[key] : undefined;
    if (!text) return undefined;
    if (/^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= 65_535) return Number(text);
    warn(`SERVICE_${key.toUpperCase()} is none: ${least} to 65535`);
    return undefined;
  };
  const passing = read("weight_passing", 1);
  const warning = read("weight_warning", 0);
  return passing === undefined && warning === undefined ? undefined : { Passing: passing ?? 1, Warning: warning ?? 1 };
}

const texts = z.array(z.string()).nullish();
const agentServices = z.record(
  z.string(),
  z.object({
    Kind: z.string().nullish(),
    ID: z.string(),
    Service: z.string(),
    Address: z.string().nullish(),
    Port: z.number().nullish(),
    Tags: texts,
    EnableTagOverride: z.boolean().nullish(),
    Meta: z.record(z.string(), z.string()).nullish(),
  }),
);
const agentChecks = z.record(z.string(), z.object({ Status: z.string(), Notes: z.string().nullish() }));

/**
 * What GET /v1/agent/services and GET /v1/agent/checks answer, as entries. Sidecars are not told: they come and go with their services, whose
 * Meta (our stamp too) they bear.
 * @throws {z.ZodError}
 */
export function consulEntries(answer: unknown, checks: unknown = {}): Entry<ConsulPayload>[] {
  const states = agentChecks.parse(checks);
  return Object.values(agentServices.parse(answer))
    .filter(({ Kind }) => !Kind)
    .map((each) => {
      const registration: ConsulRegistration = {
        ID: each.ID,
        Name: each.Service,
        Tags: each.Tags ?? [],
        Port: each.Port ?? 0,
        Address: each.Address ?? "",
        Meta: each.Meta ?? {},
        ...(each.EnableTagOverride ? { EnableTagOverride: true } : {}),
        Check: null,
        Checks: null,
      };
      return entryOf(registration, stateOf(each.ID, states), "");
    });
}

function stateOf(id: string, checks: z.infer<typeof agentChecks>): ConsulState {
  const maintenance = checks[maintenanceCheckId(id)];
  if (maintenance?.Notes?.startsWith(maintenanceReason)) return "maintenance";
  const health = checks[healthCheckId(id)]?.Status;
  return health === "passing" || health === "warning" || health === "critical" ? health : "none";
}

/** Checks are no part of it: an agent does not tell them with the service; a hash of them is in Meta. */
function entryOf(registration: ConsulRegistration, state: ConsulState, output: string): Entry<ConsulPayload> {
  const { ID, Name, Tags = [], Port = 0, Address = "", Meta = {}, EnableTagOverride } = registration;
  // Whoever may change the tags has changed them: ours are in the hash.
  const tags = EnableTagOverride ? "theirs" : Tags;
  const theirs = Object.entries(Meta)
    .filter(([key]) => !key.startsWith("registrator-"))
    .sort(byKey);
  const standing = JSON.stringify([Name, tags, Port, Address, Object.entries(Meta).sort(byKey)]);
  return {
    key: ID,
    owner: Meta[engineKey] ?? "",
    containerId: Meta[containerKey] ?? "",
    containerName: Meta[containerNameKey] ?? "",
    service: Name,
    address: `${isIP(Address) === 6 ? `[${Address}]` : Address}:${Port}`,
    fingerprint: `${state} ${standing}`,
    looks: JSON.stringify([Name, Tags, Port, Address, theirs]),
    payload: { registration, standing, state, output },
  };
}

function isOn(text: string): boolean {
  return text !== "" && !/^(false|0|no)$/i.test(text);
}

/** Meta's values have 512 bytes; names are short but for hostile ones. */
function cut(text: string): string {
  return text
    .replace(/\p{Cc}/gu, " ")
    .toWellFormed()
    .slice(0, 128)
    .toWellFormed();
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function byKey([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
