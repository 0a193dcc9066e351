import { isIPv4, isIPv6 } from "../runtime/ipAddress.ts";
import { isLoopback } from "./bindPolicy.ts";

export interface HostPolicy {
  /** The address that the server is bound to. */
  bind: string;
  /** Further names (without port) that requests may be sent to. */
  allowed: readonly string[];
  /** Clients show a token: then a rebound name gains nothing and any host is fine. */
  token: boolean;
}

/** The host without its port, in lower case; undefined when it is none ("a b", "x:y", "[::1"). */
export function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::\d{1,5})?$/i.exec(header);
  const [, v6, name] = match ?? [];
  if (v6 !== undefined) return isIPv6(v6) ? v6.toLowerCase() : undefined;
  return name?.toLowerCase().replace(/\.$/, "");
}

/**
 * Whether a request's Host is one of ours. A page on the web can point its own name at our address (DNS rebinding) and
 * then reads our answers; but it cannot make the browser send another Host. On loopback only the loopback's names
 * pass; elsewhere also addresses and names without a dot, which no attacker can own.
 */
export function hostAllowed(header: string | undefined, policy: HostPolicy): boolean {
  if (header === undefined) return false;
  const host = hostName(header);
  if (host === undefined) return false;
  if (policy.token || isLoopback(host)) return true;
  if (host === policy.bind.toLowerCase() || policy.allowed.some((name) => name.toLowerCase() === host)) return true;
  if (isLoopback(policy.bind)) return false;
  return isIPv4(host) || isIPv6(host) || !host.includes(".");
}
