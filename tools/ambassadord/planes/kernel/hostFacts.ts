import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { HostFacts } from "./desiredSets.ts";

/** Reads them from /proc/sys of this network namespace; cheap enough for every apply. */
export function readHostFacts(): HostFacts {
  return {
    forwarding: isOn("/proc/sys/net/ipv4/ip_forward"),
    bridgeTracking: isOn("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    localAddresses: new Set(
      Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address)),
    ),
  };
}

function isOn(path: string): boolean {
  try {
    return readFileSync(path, "utf8").trim() === "1";
  } catch {
    return false; // the module is not loaded: bridged packets are not tracked
  }
}
