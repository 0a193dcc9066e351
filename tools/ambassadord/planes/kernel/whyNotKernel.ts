import { parseIpv4 } from "../../../../lib/netlink/index.ts";
import type { Backend, CallerAddress, Route } from "../plane.ts";
import type { HostFacts } from "./desiredSets.ts";
import { slotCount } from "./ruleset.ts";

/** Why the kernel plane cannot carry the route, in words for a person; undefined when it can. Pure. */
export function whyNotKernel(route: Route, facts: HostFacts): string | undefined {
  if (route.caller.addresses.length === 0)
    return "the kernel routes by the caller's address, and this is for any caller";
  if ((route.needs.connectAttempts ?? 1) > 1) return "it asks to try other backends when a connect fails";
  if (route.needs.proxyProtocol) return `it asks for the PROXY protocol ${route.needs.proxyProtocol}`;
  const live = route.backends.filter(({ weight }) => weight > 0);
  if (live.length > slotCount) return `it has ${live.length} backends, the kernel balances over ${slotCount} at most`;
  for (const address of route.caller.addresses) {
    if (parseIpv4(address.ip) === undefined) return `the caller's address ${address.ip} is not IPv4`;
    for (const backend of live) {
      const why = whyNotReachable(address, backend, facts);
      if (why) return why;
    }
  }
  return undefined;
}

function whyNotReachable(caller: CallerAddress, backend: Backend, facts: HostFacts): string | undefined {
  const ip = parseIpv4(backend.ip);
  if (ip === undefined) return `the backend's address ${backend.ip} is not IPv4`;
  if (ip >>> 24 === 127) return `the backend ${backend.ip} is the host's loopback, which only the host itself reaches`;
  if (ip === 0 || ip >>> 28 >= 14) return `the backend's address ${backend.ip} is not that of a host`;
  // Tracked bridged packets are sent on inside the bridge, which gives none back to the port that it came from.
  if (caller.ip === backend.ip && facts.bridgeTracking)
    return "the caller is itself a backend, and its bridge does not turn packets round";
  if (backend.networkId !== undefined && backend.networkId !== caller.networkId)
    return `caller ${caller.ip} and backend ${backend.ip} are on different Docker networks, between which the engine drops packets`;
  if (backend.networkId !== undefined)
    return caller.isolated
      ? "the engine drops what containers of this network send each other (enable_icc=false)"
      : undefined;
  if (facts.localAddresses.has(backend.ip)) return undefined;
  if (caller.internal) return `the caller's network is internal, and backend ${backend.ip} is outside`;
  return facts.forwarding ? undefined : "the host does not forward packets (net.ipv4.ip_forward is 0)";
}
