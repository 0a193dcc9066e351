import { hostAddress } from "../services/hostAddress.ts";
import type { IgnoredPort } from "../services/service.ts";
import { servicesOf } from "../services/servicesOf.ts";
import { renderTags } from "../template/renderTags.ts";
import { type InspectedContainers, lookupIn } from "./readInspects.ts";

export interface ExplainOptions {
  /** As `readInspects` gives them, or by id from an engine. */
  containers: InspectedContainers;
  /** Which container: id, the beginning of one, or name. Needed when there are several. */
  target?: string | undefined;
  hostname: string;
  hostIp?: string | undefined;
  internal?: boolean | undefined;
  network?: string | undefined;
  explicit?: boolean | undefined;
  ipLabel?: string | undefined;
  /** `-tags`, a template. */
  tags?: string | undefined;
  ttl?: number | undefined;
  compat?: boolean | undefined;
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
}

export interface Explanation {
  services: ExplainedService[];
  ignored: IgnoredPort[];
}

/**
 * What would be registered for a container, and why its other ports would not.
 * @throws {TypeError} the target names no container; {TemplateError}
 */
export async function explain(options: ExplainOptions): Promise<Explanation> {
  const { containers } = options;
  const lookup = lookupIn(containers);
  const only = containers.size === 1 ? [...containers.values()][0] : undefined;
  const container = options.target === undefined ? only : lookup(options.target);
  if (!container) {
    throw new TypeError(
      options.target === undefined
        ? "there are several containers: name one by --target"
        : `no container ${JSON.stringify(options.target)} in it`,
    );
  }
  const { services, ignored } = servicesOf(
    container,
    {
      hostname: options.hostname,
      hostnameIp: options.hostIp ? undefined : await hostAddress(options.hostname),
      hostIp: options.hostIp ?? "",
      internal: options.internal ?? false,
      network: options.network ?? "",
      explicit: options.explicit ?? false,
      ipLabel: options.ipLabel ?? "",
      forceTags: await renderTags(options.tags ?? "", container),
      ttl: options.ttl ?? 0,
      compat: options.compat ?? false,
    },
    lookup,
  );
  return {
    services: services.map((service) => ({
      ID: service.id,
      Name: service.name,
      IP: service.ip,
      Port: service.port,
      Tags: [...service.tags],
      Attrs: { ...service.attrs },
      TTL: service.ttl,
    })),
    ignored,
  };
}
