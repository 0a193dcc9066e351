import type { Instance } from "./discovery.ts";
import { DiscoveryError } from "./discoveryError.ts";
import { instanceId } from "./instanceId.ts";

/**
 * Checks in the original's order and words: proto set, proto's letters, host:port, id. After those, our own: a port from
 * 1 to 65535 and a host without spaces, since DNS answers carry both.
 * @throws {DiscoveryError} validation_error
 */
export function validateInstance(instance: Instance): void {
  const problem = instanceProblem(instance);
  if (problem !== undefined) throw new DiscoveryError("validation_error", problem);
}

function instanceProblem({ id, addr, proto }: Instance): string | undefined {
  if (proto === "") return "discoverd: proto must be set";
  if (!/^[a-z0-9]+$/.test(proto)) return "discoverd: proto must be lowercase alphanumeric";
  const split = splitHostPort(addr);
  if (typeof split === "string") return split;
  const expected = instanceId(proto, addr);
  if (id !== expected) return `discoverd: instance id is incorrect, expected ${expected}`;
  if (addr.length > 512) return "discoverd: addr is longer than 512";
  if (!/^[0-9]{1,5}$/.test(split.port) || Number(split.port) < 1 || Number(split.port) > 65535) {
    return `discoverd: port must be a number from 1 to 65535 in address ${addr}`;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\s\x00-\x1f\x7f]/.test(split.host) ? "discoverd: addr must not hold spaces" : undefined;
}

/** Go's net.SplitHostPort, with its error texts. */
function splitHostPort(addr: string): { host: string; port: string } | string {
  const colon = addr.lastIndexOf(":");
  if (colon < 0) return `missing port in address ${addr}`;
  if (addr.startsWith("[")) {
    const end = addr.indexOf("]");
    if (end < 0) return `missing ']' in address ${addr}`;
    if (end + 1 === addr.length) return `missing port in address ${addr}`;
    if (end + 1 !== colon) {
      return addr[end + 1] === ":" ? `too many colons in address ${addr}` : `missing port in address ${addr}`;
    }
    if (addr.indexOf("[", 1) >= 0) return `unexpected '[' in address ${addr}`;
    if (addr.indexOf("]", end + 1) >= 0) return `unexpected ']' in address ${addr}`;
    return { host: addr.slice(1, end), port: addr.slice(colon + 1) };
  }
  if (addr.indexOf(":") !== colon) return `too many colons in address ${addr}`;
  if (addr.includes("[")) return `unexpected '[' in address ${addr}`;
  if (addr.includes("]")) return `unexpected ']' in address ${addr}`;
  return { host: addr.slice(0, colon), port: addr.slice(colon + 1) };
}
