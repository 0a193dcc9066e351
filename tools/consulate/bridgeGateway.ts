import type { DockerClient } from "../../lib/docker/index.ts";

/**
 * The host's address on Docker's default network: where containers find what listens on the host. Engines that have not
 * told a gateway take the subnet's first address.
 * @throws {DockerError} when the engine is not reached or has no default network (`--bridge none`)
 *
 * @example
 * await bridgeGateway(docker); // "172.17.0.1"
 */
export async function bridgeGateway(docker: Pick<DockerClient, "inspectNetwork">): Promise<string | undefined> {
  const { subnets } = await docker.inspectNetwork("bridge");
  const [first] = subnets;
  return first && (first.gateway || firstAddress(first.subnet));
}

/** "172.17.0.0/16" -> "172.17.0.1"; undefined when it is no subnet of more than one address. */
export function firstAddress(subnet: string): string | undefined {
  const [base, bits] = subnet.split("/");
  const parts = (base ?? "").split(".").map(Number);
  const size = Number(bits);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255)) || !(size >= 0 && size <= 30))
    return undefined;
  const address = parts.reduce((sum, part) => sum * 256 + part, 0);
  const network = Math.floor(address / 2 ** (32 - size)) * 2 ** (32 - size) + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256).join(".");
}
