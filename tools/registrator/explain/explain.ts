import { hostAddress } from "../services/hostAddress.ts";
import type { IgnoredPort, Service, ServicesOptions } from "../services/service.ts";
import { servicesOf } from "../services/servicesOf.ts";
import { renderTags } from "../template/renderTags.ts";
import { type InspectedContainers, lookupIn } from "./readInspects.ts";

export interface ExplainOptions extends Omit<ServicesOptions, "forceTags"> {
  /** As `readInspects` gives them, or by id from an engine. */
  containers: InspectedContainers;
  /** Which container: id, the beginning of one, or name. Needed when there are several. */
  target?: string | undefined;
  /** `-tags`, a template. */
  tags?: string;
}

/** The fields of the original's services. */
export interface ExplainedService {
  ID: string;
  Name: string;
  IP: string;
  Port: number;
  Tags: string[];
  Attrs: Record<string, string>;
  TTL: number;
  /** Absent: Docker says nothing of it. */
  Health?: { State: string; Output: string };
  /** Where else it is reached, by Consul's names for it; absent: nowhere. */
  Addresses?: Record<string, { IP: string; Port: number }>;
}

export interface Explanation {
  services: ExplainedService[];
  ignored: IgnoredPort[];
}

/**
 * What would be registered for a container, and why its other ports would not.
 * @throws {TypeError} the target names no container
 */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { containers, target, tags = "", ...model } = options;
  const lookup = lookupIn(containers);
  const only = containers.size === 1 ? [...containers.values()][0] : undefined;
  const container = target === undefined ? only : lookup(target);
  if (!container) {
    throw new TypeError(
      target === undefined
        ? "there are several containers: name one by --target"
        : `no container ${JSON.stringify(target)} in it`,
    );
  }
  const rendered = await renderTags(tags, container).catch((error: Error) => error);
  if (rendered instanceof Error) return { services: [], ignored: [{ port: "", why: `tags: ${rendered.message}` }] };
  const hostnameIp = model.hostIp ? undefined : (model.hostnameIp ?? (await hostAddress(model.hostname)));
  const { services, ignored } = servicesOf(container, { ...model, hostnameIp, forceTags: rendered }, lookup);
  return { services: services.map(explained), ignored };
}

export function explained(service: Service): ExplainedService {
  const { health, addresses } = service;
  const others = Object.entries(addresses ?? {}).map(([name, { ip, port }]) => [name, { IP: ip, Port: port }] as const);
  return {
    ID: service.id,
    Name: service.name,
    IP: service.ip,
    Port: service.port,
    Tags: [...service.tags],
    Attrs: { ...service.attrs },
    TTL: service.ttl,
    ...(health ? { Health: { State: health.state, Output: health.output } } : {}),
    ...(others.length > 0 ? { Addresses: Object.fromEntries(others) } : {}),
  };
}
