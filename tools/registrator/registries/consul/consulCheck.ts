import { isIPv6 } from "node:net";
import type { Service } from "../../services/service.ts";

/** As Consul's PUT /v1/agent/service/register takes it. */
export type ConsulCheck = Record<string, string | boolean | string[]>;

/**
 * The check that a service's SERVICE_CHECK_* ask for: the first of HTTP, HTTPS, CMD, SCRIPT, TTL, TCP, GRPC that is there; undefined
 * without any of them. Other than the original, IPv6 addresses are bracketed, and a script runs (by sh).
 */
export function consulCheck(service: Service, containerId: string): ConsulCheck | undefined {
  const attr = (key: string) =>
    (Object.hasOwn(service.attrs, `check_${key}`) ? service.attrs[`check_${key}`] : "") ?? "";
  const check = kindOfCheck(service, containerId, attr);
  if (!check) return undefined;
  if (!("TTL" in check)) check.Interval = attr("interval") || "10s";
  if (attr("initial_status")) check.Status = attr("initial_status");
  if (attr("deregister_after")) check.DeregisterCriticalServiceAfter = attr("deregister_after");
  return check;
}

function kindOfCheck(service: Service, containerId: string, attr: (key: string) => string): ConsulCheck | undefined {
  const address = `${isIPv6(service.ip) ? `[${service.ip}]` : service.ip}:${service.port}`;
  const timeout: ConsulCheck = attr("timeout") ? { Timeout: attr("timeout") } : {};
  for (const scheme of ["http", "https"]) {
    if (!attr(scheme)) continue;
    const method: ConsulCheck = attr(`${scheme}_method`) ? { Method: attr(`${scheme}_method`) } : {};
    return { HTTP: `${scheme}://${address}${attr(scheme)}`, ...timeout, ...method };
  }
  if (attr("cmd")) return { ScriptArgs: ["check-cmd", containerId.slice(0, 12), service.exposedPort, attr("cmd")] };
  if (attr("script")) {
    const script = attr("script")
      .replaceAll("$SERVICE_IP", service.ip)
      .replaceAll("$SERVICE_PORT", String(service.port));
    return { ScriptArgs: ["/bin/sh", "-c", script] };
  }
  if (attr("ttl")) return { TTL: attr("ttl") };
  if (attr("tcp")) return { TCP: address, ...timeout };
  if (!attr("grpc")) return undefined;
  const tls: ConsulCheck = attr("grpc_use_tls") ? { GRPCUseTLS: true } : {};
  const skip: ConsulCheck = attr("grpc_use_tls") && attr("tls_skip_verify") ? { TLSSkipVerify: true } : {};
  return { GRPC: address, ...timeout, ...tls, ...skip };
}
