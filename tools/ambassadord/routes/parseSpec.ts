import { isIPv4, isIPv6 } from "../../../lib/runtime/ipAddress.ts";

/** What a container asks to be connected to. */
export type Spec =
  | { kind: "service"; service: string }
  /** Fixed places; a host may be a name, which the loop resolves. */
  | { kind: "static"; endpoints: Endpoint[] }
  | { kind: "refused"; why: string };

export interface Endpoint {
  host: string;
  port: number;
}

const longestSpec = 4096;
const mostEndpoints = 256;
const serviceName = /^[a-z0-9-]{1,63}$/;
/** Consul's and the originals' ways to write a service in our discovery. */
const serviceDomains = [".discoverd", ".service.consul", ".services.consul"];
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

/**
 * Reads `web`, `web.discoverd`, `web.service.consul` (service `web` of discovery), `host:port`, or `host:port,host:port`.
 * Never throws: what it does not understand comes back refused, with the reason.
 *
 * @example
 * parseSpec("10.0.0.1:6379,10.0.0.2:6379"); // { kind: "static", endpoints: [...] }
 */
export function parseSpec(text: string): Spec {
  const spec = text.trim();
  if (spec === "") return refused("it names nothing to connect to");
  if (spec.length > longestSpec) return refused(`it is longer than ${longestSpec} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\x00-\x20\x7f]/.test(spec)) return refused("it has spaces or control characters");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(spec)?.[1];
  if (scheme) return refused(`the scheme ${scheme.slice(0, 40).toLowerCase()}:// is not supported`);
  if (spec.includes(",") || spec.includes(":")) return parseEndpoints(spec.split(","));
  return parseService(spec);
}

function parseService(spec: string): Spec {
  const name = spec.toLowerCase().replace(/\.$/, "");
  const domain = serviceDomains.find((suffix) => name.endsWith(suffix)) ?? "";
  const service = name.slice(0, name.length - domain.length);
  if (serviceName.test(service)) return { kind: "service", service };
  if (domain === "" && hostName.test(name))
    return refused(`${shown(spec)} is a host name without a port (SRV names are not supported): write host:port`);
  return refused(`${shown(spec)} is not a service name (a-z, 0-9 and dashes)`);
}

function parseEndpoints(parts: readonly string[]): Spec {
  if (parts.length > mostEndpoints) return refused(`it lists ${parts.length} places, ${mostEndpoints} at most`);
  const endpoints: Endpoint[] = [];
  for (const part of parts) {
    const match = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(part);
    const host = match?.[1] ?? match?.[2] ?? "";
    const port = Number(match?.[3] ?? 0);
    if (!match) return refused(`${shown(part)} is not host:port`);
    const isHost =
      match[1] === undefined ? isIPv4(host) || (hostName.test(host) && !/^[0-9.]+$/.test(host)) : isIPv6(host);
    if (!isHost) return refused(`${shown(part)} has no valid host`);
    if (port < 1 || port > 65535) return refused(`${shown(part)} has no valid port`);
    endpoints.push({ host: host.toLowerCase(), port });
  }
  return { kind: "static", endpoints };
}

function shown(text: string): string {
  return text.length > 80 ? `"${text.slice(0, 80)}…"` : `"${text}"`;
}

function refused(why: string): Spec {
  return { kind: "refused", why };
}
