import type { ContainersState } from "../../lib/docker/index.ts";

/**
 * Answers `ambassador.discoverd` (and `ambassador.service.consul`) with the host's address on the asker's own network, so that any container reaches its
 * ambassador by the same name. Askers that are not containers get none.
 *
 * @example
 * const names = ambassadorNames(() => watcher.current());
 * names("ambassador.discoverd", "172.18.0.5"); // ["172.18.0.1"]
 */
export function ambassadorNames(state: () => ContainersState | undefined) {
  return (name: string, clientAddress: string): readonly string[] | undefined => {
    if (!/^ambassador\.(discoverd|service\.consul)$/.test(name)) return undefined;
    const address = clientAddress.replace(/^::ffff:/, "");
    for (const container of state()?.containers.values() ?? []) {
      for (const network of container.networks) {
        if (network.ipv4 === address && network.gateway) return [network.gateway];
      }
    }
    return [];
  };
}
