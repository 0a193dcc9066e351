import type { Instance, InstanceState } from "./discovery.ts";
import { DiscoveryError } from "./discoveryError.ts";
import { instanceId } from "./instanceId.ts";

/**
 * Checks in the original's order and words: proto set, proto's letters, host:port, id. After those, our own: a port from
 * 1 to 65535 and a host without spaces, since DNS answers carry both; then weight, zone, state, reason and TTL.
 * @throws {DiscoveryError} validation_error
 */
export function validateInstance(instance: Instance): void {
  const problem = instanceProblem(instance);
  if (problem !== undefined) throw new DiscoveryError("validation_error", problem);
}

const states: readonly string[] = ["up", "warning", "down", "draining", "maintenance"] satisfies InstanceState[];

/** @throws {DiscoveryError} validation_error */
export function validateState(state: string, reason: string | undefined): void {
  const problem = stateProblem(state, reason);
  if (problem !== undefined) throw new DiscoveryError("validation_error", problem);
}

/** @throws {DiscoveryError} validation_error */
export function validateTtl(ttlMs: number | undefined): void {
  if (ttlMs === undefined || (Number.isFinite(ttlMs) && ttlMs >= 100 && ttlMs <= 86_400_000)) return;
  throw new DiscoveryError("validation_error", "discoverd: ttl must be from 100 ms to 24 h");
}

function stateProblem(state: string | undefined, reason: string | undefined): string | undefined {
  if (state !== undefined && !states.includes(state)) return `discoverd: state must be one of ${states.join(", ")}`;
  return reason !== undefined && reason.length > 256 ? "discoverd: reason is longer than 256" : undefined;
}

function extrasProblem({ weight, zone, state, reason }: Instance): string | undefined {
  if (weight !== undefined && !(Number.isInteger(weight) && weight >= 0 && weight <= 65_535)) {
    return "discoverd: weight must be a whole number from 0 to 65535";
  }
  if (zone !== undefined && !/^[A-Za-z0-9._-]{1,63}$/.test(zone)) {
    return "discoverd: zone must be letters, digits, dots, dashes or underscores, at most 63";
  }
  return stateProblem(state, reason);
}

function instanceProblem(instance: Instance): string | undefined {
  const { id, addr, proto } = instance;
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
  if (/[\s\x00-\x1f\x7f]/.test(split.host)) return "discoverd: addr must not hold spaces";
  return extrasProblem(instance);
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
