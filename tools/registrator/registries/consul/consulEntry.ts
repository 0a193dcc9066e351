import { z } from "zod";
import type { Service } from "../../services/service.ts";
import { type Entry, EntryRefused, type Origin } from "../registry.ts";
import { type ConsulCheck, consulCheck } from "./consulCheck.ts";

/** The body of PUT /v1/agent/service/register (https://developer.hashicorp.com/consul/api-docs/agent/service). */
export interface ConsulRegistration {
  ID: string;
  Name: string;
  Tags: readonly string[];
  Port: number;
  Address: string;
  Meta: Record<string, string>;
  Check: ConsulCheck | null;
}

const engineKey = "registrator-engine";
const containerKey = "registrator-container";
const containerNameKey = "registrator-name";

/** What Consul itself takes: keys of [A-Za-z0-9_-], 128 and 512 letters, 64 pairs. */
const maxPairs = 64;
const maxKey = 128;
const maxValue = 512;

/**
 * A service as a Consul agent holds it; attributes become Meta, as far as Consul takes them.
 * @throws {EntryRefused}
 */
export function consulEntry(service: Service, origin: Origin): Entry<ConsulRegistration> {
  if (/[\p{Cc}/?#]/u.test(service.id) || service.id === "") {
    throw new EntryRefused(`the ID ${JSON.stringify(service.id.slice(0, 64))} is none that Consul can take out again`);
  }
  if (/\p{Cc}/u.test(service.name) || service.name === "") {
    throw new EntryRefused(`Consul has no service named ${JSON.stringify(service.name.slice(0, 64))}`);
  }
  const stamp = {
    [engineKey]: origin.owner.slice(0, maxValue),
    [containerKey]: origin.containerId,
    [containerNameKey]: origin.containerName.slice(0, maxValue),
  };
  const attrs = Object.entries(service.attrs)
    .filter(
      ([key, value]) =>
        /^[A-Za-z0-9_-]+$/.test(key) &&
        key.length <= maxKey &&
        value.length <= maxValue &&
        !key.startsWith("registrator-"),
    )
    .sort(byKey)
    .slice(0, maxPairs - Object.keys(stamp).length);
  return entryOf({
    ID: service.id.toWellFormed(),
    Name: service.name.toWellFormed(),
    Tags: service.tags.map((tag) => tag.toWellFormed()),
    Port: service.port,
    Address: service.ip,
    Meta: { ...Object.fromEntries(attrs.map(([key, value]) => [key, value.toWellFormed()])), ...stamp },
    Check: consulCheck(service, origin.containerId) ?? null,
  });
}

const texts = z.array(z.string()).nullish();
const agentServices = z.record(
  z.string(),
  z.object({
    ID: z.string(),
    Service: z.string(),
    Address: z.string().nullish(),
    Port: z.number().nullish(),
    Tags: texts,
    Meta: z.record(z.string(), z.string()).nullish(),
  }),
);

/** What GET /v1/agent/services answers, as entries. @throws {z.ZodError} */
export function consulEntries(answer: unknown): Entry<ConsulRegistration>[] {
  return Object.values(agentServices.parse(answer)).map((each) =>
    entryOf({
      ID: each.ID,
      Name: each.Service,
      Tags: each.Tags ?? [],
      Port: each.Port ?? 0,
      Address: each.Address ?? "",
      Meta: each.Meta ?? {},
      Check: null,
    }),
  );
}

/** The check is no part of the fingerprint: the agent does not tell it with the service, and it follows from Meta. */
function entryOf(payload: ConsulRegistration): Entry<ConsulRegistration> {
  const { ID, Name, Tags, Port, Address, Meta } = payload;
  return {
    key: ID,
    owner: Meta[engineKey] ?? "",
    containerId: Meta[containerKey] ?? "",
    containerName: Meta[containerNameKey] ?? "",
    service: Name,
    address: `${Address.includes(":") ? `[${Address}]` : Address}:${Port}`,
    fingerprint: JSON.stringify([Name, Tags, Port, Address, Object.entries(Meta).sort(byKey)]),
    payload,
  };
}

function byKey([a]: [string, string], [b]: [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
