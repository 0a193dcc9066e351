import type { Service } from "../../services/service.ts";
import type { ConsulCheck } from "./consulChecks.ts";

/**
 * The one check of the original: the first of HTTP, HTTPS, CMD, SCRIPT, TTL, TCP, GRPC that is there, whatever it says. IPv6 addresses have
 * no brackets, and a script is one word, which cannot run.
 */
export function compatCheck(service: Service, containerId: string): ConsulCheck | undefined {
  const attr = (key: string) =>
    (Object.hasOwn(service.attrs, `check_${key}`) ? service.attrs[`check_${key}`] : "") ?? "";
  const check = kindOf(service, containerId, attr);
  if (!check) return undefined;
  if (!("TTL" in check)) check.Interval = attr("interval") || "10s";
  if (attr("initial_status")) check.Status = attr("initial_status");
  if (attr("deregister_after")) check.DeregisterCriticalServiceAfter = attr("deregister_after");
  return check;
}

function kindOf(service: Service, containerId: string, attr: (key: string) => string): ConsulCheck | undefined {
  const address = `${service.ip}:${service.port}`;
  const timeout: ConsulCheck = attr("timeout") ? { Timeout: attr("timeout") } : {};
  for (const scheme of ["http", "https"]) {
    if (!attr(scheme)) continue;
    const method: ConsulCheck = attr(`${scheme}_method`) ? { Method: attr(`${scheme}_method`) } : {};
    return { HTTP: `${scheme}://${address}${attr(scheme)}`, ...timeout, ...method };
  }
  if (attr("cmd")) return { ScriptArgs: ["check-cmd", containerId.slice(0, 12), service.exposedPort, attr("cmd")] };
  if (attr("script")) {
    const script = attr("script")
      .replaceAll("$SERVICE_IP", () => service.ip)
      .replaceAll("$SERVICE_PORT", String(service.port));
    return { ScriptArgs: [script] };
  }
  if (attr("ttl")) return { TTL: attr("ttl") };
  if (attr("tcp")) return { TCP: address, ...timeout };
  if (!attr("grpc")) return undefined;
  const tls: ConsulCheck = attr("grpc_use_tls") ? { GRPCUseTLS: true } : {};
  const skip: ConsulCheck = attr("grpc_use_tls") && attr("tls_skip_verify") ? { TLSSkipVerify: true } : {};
  return { GRPC: address, ...timeout, ...tls, ...skip };
}
