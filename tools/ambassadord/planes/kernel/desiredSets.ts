import { ipProtocol, parseIpv4 } from "../../../../lib/netlink/index.ts";
import type { Backend, Route } from "../plane.ts";
import { type SetName, slotCount } from "./ruleset.ts";
import { slotShares } from "./slotShares.ts";

/** Per set: key -> value, both as hex of the bytes that the kernel holds ("" for a set that is no map). */
export type SetContents = Record<SetName, Map<string, string>>;

/** What the host's state adds to the routes. */
export interface HostFacts {
  /** net.ipv4.ip_forward */
  forwarding: boolean;
  /** net.bridge.bridge-nf-call-iptables: bridged answers pass connection tracking. */
  bridgeTracking: boolean;
  localAddresses: ReadonlySet<string>;
}

/** Where a route's connections may go: `<caller key>` -> the backends' values. */
export type Targets = Map<string, Set<string>>;

export function emptySets(): SetContents {
  return { fixed: new Map(), spread: new Map(), closed: new Map(), again: new Map(), hairpin: new Map() };
}

/**
 * The sets for routes that `whyNotKernel` let pass. `refusing` holds the values of backends that get no connection for
 * now, as long as their route has another. Pure. When two routes have the same caller address, protocol and
 * port, the first one holds it and the second is in `taken`, with the first one's id.
 */
export function desiredSets(
  routes: readonly Route[],
  facts: HostFacts,
  refusing: ReadonlySet<string> = new Set(),
): { sets: SetContents; targets: Targets; taken: Map<Route, string> } {
  const sets = emptySets();
  const targets: Targets = new Map();
  const owners = new Map<string, string>();
  const taken = new Map<Route, string>();
  for (const route of routes) {
    const keys = route.caller.addresses.map(({ ip }) => callerKey(ip, route.proto, route.port));
    const owner = keys.map((key) => owners.get(key)).find((id) => id !== undefined);
    if (owner !== undefined) {
      taken.set(route, owner);
      continue;
    }
    const live = route.backends.filter(({ weight }) => weight > 0);
    for (const key of keys) {
      owners.set(key, route.id);
      targets.set(key, new Set(live.map(backendValue)));
      addRoute(sets, key, route, live, refusing);
    }
    for (const address of route.caller.addresses)
      for (const backend of live)
        if (comesBackOnlyMasqueraded(address.ip, backend, facts))
          sets.hairpin.set(addressHex(address.ip) + addressHex(backend.ip), "");
  }
  return { sets, targets, taken };
}

function addRoute(
  sets: SetContents,
  key: string,
  route: Route,
  live: readonly Backend[],
  refusing: ReadonlySet<string>,
): void {
  const isTcp = route.proto === "tcp";
  const willing = live.filter((backend) => !(isTcp && refusing.has(backendValue(backend))));
  // Where all refuse, so does the route: nobody's refusal is kept from the caller.
  if (isTcp && live.length > 1 && willing.length > 0) sets.again.set(key.slice(0, 8) + portHex(route.port), "");
  const chosen = willing.length > 0 ? willing : live;
  const [first, second] = chosen;
  if (!first) {
    sets.closed.set(key, "");
    return;
  }
  if (!second) {
    sets.fixed.set(key, backendValue(first));
    return;
  }
  const shares = slotShares(
    chosen.map(({ weight }) => weight),
    slotCount,
  );
  let slot = 0;
  for (const [index, backend] of chosen.entries())
    for (let share = shares[index] ?? 0; share > 0; share--)
      sets.spread.set(key + slotHex(slot++), backendValue(backend));
}

/**
 * A backend on the caller's own bridge answers it directly, past the translation, unless bridged packets are tracked;
 * and a container that is its own backend would get packets from its own address.
 */
function comesBackOnlyMasqueraded(callerIp: string, backend: Backend, facts: HostFacts): boolean {
  if (callerIp === backend.ip) return true;
  return backend.networkId !== undefined && !facts.bridgeTracking;
}

export function callerKey(ip: string, proto: "tcp" | "udp", port: number): string {
  return `${addressHex(ip)}${proto === "tcp" ? tcpHex : udpHex}${portHex(port)}`;
}

export function backendValue(backend: { ip: string; port: number }): string {
  return addressHex(backend.ip) + portHex(backend.port);
}

/** As {@link callerKey} and {@link backendValue}, from numbers. */
export const hexOfAddress = (address: number): string => address.toString(16).padStart(8, "0");
export const hexOfPort = (port: number): string => `${port.toString(16).padStart(4, "0")}0000`;
export const hexOfProtocol = (protocol: number): string => `${protocol.toString(16).padStart(2, "0")}000000`;

const tcpHex = hexOfProtocol(ipProtocol.tcp);
const udpHex = hexOfProtocol(ipProtocol.udp);

function addressHex(ip: string): string {
  return hexOfAddress(parseIpv4(ip) ?? 0);
}

function portHex(port: number): string {
  return hexOfPort(port);
}

/** numgen gives a u32 in host byte order, little-endian. */
function slotHex(slot: number): string {
  return `${slot.toString(16).padStart(2, "0")}000000`;
}
