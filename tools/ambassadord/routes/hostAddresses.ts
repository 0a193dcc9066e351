import { networkInterfaces } from "node:os";
import { parseIpv4 } from "../../../lib/netlink/ipv4.ts";
import type { HostAddresses } from "./routesOf.ts";

/** This host's IPv4 addresses as they are now. */
export function readHostAddresses(): HostAddresses & { local: Set<string>; hostGateway: string | undefined } {
  const interfaces = networkInterfaces();
  const all = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === "IPv4");
  const local = new Set(all.map(({ address }) => address));
  return {
    local,
    isLocal: (ip) => local.has(ip),
    inSubnetOf: (ip) => all.find(({ address, netmask }) => sameSubnet(ip, address, netmask))?.address ?? "",
    // What `--add-host NAME:host-gateway` stands for, whatever network the container is on.
    hostGateway: interfaces.docker0?.find(({ family }) => family === "IPv4")?.address,
  };
}

function sameSubnet(a: string, b: string, netmask: string): boolean {
  const [one, other, mask] = [parseIpv4(a), parseIpv4(b), parseIpv4(netmask)];
  if (one === undefined || other === undefined || !mask) return false;
  return (one & mask) === (other & mask);
}
