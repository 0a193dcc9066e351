import { z } from "zod";
import { checked } from "./checked.ts";
import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection } from "./engineConnection.ts";

export interface NetworkSpec {
  name: string;
  /** Default "bridge". */
  driver?: string;
  /** "10.9.0.0/24"; the engine chooses when absent. */
  subnet?: string;
  internal?: boolean;
  labels?: Readonly<Record<string, string>>;
  options?: Readonly<Record<string, string>>;
}

/** As much of a network as is used. */
export interface Network {
  id: string;
  name: string;
  driver: string;
  /** The IPv4 ones: "172.17.0.0/16"; the gateway is "" when the engine does not tell it. */
  subnets: readonly { subnet: string; gateway: string }[];
  /** No way out of it. */
  internal: boolean;
  /** The driver's: "com.docker.network.bridge.enable_icc". */
  options: Readonly<Record<string, string>>;
}

/** A container's place in a network, as the network tells it; "" and 0 where it has none. */
export interface NetworkEndpoint {
  ipv4: string;
  ipv4PrefixLength: number;
  ipv6: string;
  ipv6PrefixLength: number;
  macAddress: string;
}

/** Calls about networks and volumes. Whatever is gone already when it is to be removed is no error. */
export interface NetworkCalls {
  /** Returns the id. @throws {DockerError} conflict when the name is taken (where the engine checks) */
  createNetwork(spec: NetworkSpec, options?: CallOptions): Promise<string>;
  removeNetwork(id: string, options?: CallOptions): Promise<void>;
  /** @throws {DockerError} not_found */
  inspectNetwork(id: string, options?: CallOptions): Promise<Network>;
  /**
   * The places of those of `containers` that are on the network, by their ids. It does not wait for a container that is being
   * started, as its inspect does; the engine answers with the whole network, of at most `maxBytes` (default 64 KiB, some 250 containers).
   * @throws {DockerError} not_found; bad_answer, too when it is larger
   */
  listEndpoints(
    network: string,
    containers: Iterable<string>,
    options?: CallOptions & { maxBytes?: number },
  ): Promise<ReadonlyMap<string, NetworkEndpoint>>;
  connectNetwork(
    network: string,
    container: string,
    options?: CallOptions & { aliases?: readonly string[]; ipv4?: string },
  ): Promise<void>;
  disconnectNetwork(network: string, container: string, options?: CallOptions & { force?: boolean }): Promise<void>;
  /** Returns the name; one that exists is no error. */
  createVolume(name: string, options?: CallOptions & { labels?: Readonly<Record<string, string>> }): Promise<string>;
  removeVolume(name: string, options?: CallOptions & { force?: boolean }): Promise<void>;
}

const network = z.object({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string().nullish(),
  IPAM: z
    .object({ Config: z.array(z.object({ Subnet: z.string().nullish(), Gateway: z.string().nullish() })).nullish() })
    .nullish(),
  Internal: z.boolean().nullish(),
  Options: z.record(z.string(), z.string()).nullish(),
});
const occupied = z.object({ Containers: z.record(z.string(), z.unknown()).nullish() });
const occupant = z.object({
  MacAddress: z.string().nullish(),
  IPv4Address: z.string().nullish(),
  IPv6Address: z.string().nullish(),
});
const createdNetwork = z.object({ Id: z.string().min(1) });
const createdVolume = z.object({ Name: z.string().min(1) });

/** @internal */
export function networkCalls(connection: EngineConnection): NetworkCalls {
  const post = (path: string, json: unknown, options: CallOptions = {}) =>
    connection.json({ timeoutMs: 60_000, ...options, method: "POST", path, json });
  const remove = async (path: string, options: CallOptions = {}, query: Record<string, boolean> = {}) => {
    try {
      await connection.json({ timeoutMs: 60_000, ...options, method: "DELETE", path, query });
    } catch (error) {
      if (!(error instanceof DockerError && error.code === "not_found")) throw error;
    }
  };

  return {
    async createNetwork(spec, options) {
      const body = {
        Name: spec.name,
        CheckDuplicate: true,
        Driver: spec.driver ?? "bridge",
        Internal: spec.internal ?? false,
        Labels: spec.labels ?? {},
        Options: spec.options ?? {},
        ...(spec.subnet === undefined ? {} : { IPAM: { Config: [{ Subnet: spec.subnet }] } }),
      };
      return checked(createdNetwork, await post("/networks/create", body, options), "POST /networks/create").Id;
    },

    removeNetwork: (id, options) => remove(`/networks/${encodeURIComponent(id)}`, options),

    async inspectNetwork(id, options) {
      const path = `/networks/${encodeURIComponent(id)}`;
      const found = checked(network, await connection.json({ path, ...options }), "GET /networks/{id}");
      const configs = found.IPAM?.Config ?? [];
      return {
        id: found.Id,
        name: found.Name,
        driver: found.Driver ?? "",
        subnets: configs
          .map(({ Subnet, Gateway }) => ({ subnet: Subnet ?? "", gateway: (Gateway ?? "").replace(/\/.*$/, "") }))
          .filter(({ subnet }) => subnet !== "" && !subnet.includes(":")),
        internal: found.Internal ?? false,
        options: found.Options ?? {},
      };
    },

    async listEndpoints(id, containers, options = {}) {
      const path = `/networks/${encodeURIComponent(id)}`;
      const raw = await connection.json({ path, maxBytes: 64 << 10, ...options });
      const { Containers } = checked(occupied, raw, "GET /networks/{id}");
      const found = new Map<string, NetworkEndpoint>();
      for (const container of containers) {
        if (!Containers || !Object.hasOwn(Containers, container)) continue;
        const place = checked(occupant, Containers[container], "GET /networks/{id}");
        const [ipv4, ipv4PrefixLength] = withPrefix(place.IPv4Address);
        const [ipv6, ipv6PrefixLength] = withPrefix(place.IPv6Address);
        found.set(container, { ipv4, ipv4PrefixLength, ipv6, ipv6PrefixLength, macAddress: place.MacAddress ?? "" });
      }
      return found;
    },

    async connectNetwork(network, container, { aliases, ipv4, ...options } = {}) {
      const endpoint = {
        ...(aliases ? { Aliases: aliases } : {}),
        ...(ipv4 === undefined ? {} : { IPAMConfig: { IPv4Address: ipv4 } }),
      };
      const body = { Container: container, EndpointConfig: endpoint };
      await post(`/networks/${encodeURIComponent(network)}/connect`, body, options);
    },

    async disconnectNetwork(network, container, { force = false, ...options } = {}) {
      const body = { Container: container, Force: force };
      await post(`/networks/${encodeURIComponent(network)}/disconnect`, body, options);
    },

    async createVolume(name, { labels = {}, ...options } = {}) {
      const raw = await post("/volumes/create", { Name: name, Labels: labels }, options);
      return checked(createdVolume, raw, "POST /volumes/create").Name;
    },

    removeVolume: (name, { force = false, ...options } = {}) =>
      remove(`/volumes/${encodeURIComponent(name)}`, options, { force }),
  };
}

/** "172.17.0.2/16" in its parts. */
function withPrefix(text: string | null | undefined): [address: string, prefixLength: number] {
  const [address = "", length = "0"] = (text ?? "").split("/");
  return [address, Number(length) || 0];
}
