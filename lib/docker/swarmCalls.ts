import { z } from "zod";
import { checked } from "./checked.ts";
import { DockerError } from "./dockerError.ts";
import type { CallOptions, EngineConnection } from "./engineConnection.ts";

/** As much of a Swarm service as is used. */
export interface SwarmService {
  id: string;
  name: string;
  image: string;
  /** Those of its containers, and its own, which win. */
  labels: Readonly<Record<string, string>>;
  env: readonly string[];
  ports: readonly SwarmPort[];
  /** By network id, without the prefix length; empty in dnsrr mode. */
  virtualIps: readonly { networkId: string; ip: string }[];
  /** undefined: the engine (before API 1.41) does not tell. */
  runningTasks: number | undefined;
  createdAt: string;
}

export interface SwarmPort {
  /** "80/tcp" */
  port: string;
  /** "": not published. */
  published: string;
  /** "ingress": on every node; "host": where a task runs. */
  mode: "ingress" | "host";
}

/** Calls about Swarm. */
export interface SwarmCalls {
  /** undefined: this engine is no manager. */
  listSwarmServices(options?: CallOptions): Promise<readonly SwarmService[] | undefined>;
  /** Of the managers one leads; false when this one does not, or is none. */
  isSwarmLeader(options?: CallOptions): Promise<boolean>;
  /** All networks' names by id. */
  networkNames(options?: CallOptions): Promise<ReadonlyMap<string, string>>;
}

const labels = z.record(z.string(), z.string()).nullish();
const services = z.array(
  z.object({
    ID: z.string().min(1),
    CreatedAt: z.string().nullish(),
    Spec: z.object({
      Name: z.string().nullish(),
      Labels: labels,
      TaskTemplate: z
        .object({
          ContainerSpec: z
            .object({ Image: z.string().nullish(), Labels: labels, Env: z.array(z.string()).nullish() })
            .nullish(),
        })
        .nullish(),
    }),
    Endpoint: z
      .object({
        Ports: z
          .array(
            z.object({
              Protocol: z.string().nullish(),
              TargetPort: z.number().nullish(),
              PublishedPort: z.number().nullish(),
              PublishMode: z.string().nullish(),
            }),
          )
          .nullish(),
        VirtualIPs: z.array(z.object({ NetworkID: z.string().nullish(), Addr: z.string().nullish() })).nullish(),
      })
      .nullish(),
    ServiceStatus: z.object({ RunningTasks: z.number().nullish() }).nullish(),
  }),
);
const swarmInfo = z.object({
  Swarm: z.object({ NodeID: z.string().nullish(), ControlAvailable: z.boolean().nullish() }).nullish(),
});
const node = z.object({ ManagerStatus: z.object({ Leader: z.boolean().nullish() }).nullish() });
const networks = z.array(z.object({ Id: z.string(), Name: z.string() }));

/** @internal */
export function swarmCalls(connection: EngineConnection): SwarmCalls {
  return {
    async listSwarmServices(options = {}) {
      let raw: unknown;
      try {
        raw = await connection.json({ path: "/services", query: { status: true }, ...options });
      } catch (error) {
        // "This node is not a swarm manager."
        if (error instanceof DockerError && error.status === 503) return undefined;
        throw error;
      }
      return checked(services, raw, "GET /services").map(({ ID, CreatedAt, Spec, Endpoint, ServiceStatus }) => {
        const container = Spec.TaskTemplate?.ContainerSpec;
        return {
          id: ID,
          name: Spec.Name ?? "",
          image: container?.Image ?? "",
          labels: { ...container?.Labels, ...Spec.Labels },
          env: container?.Env ?? [],
          ports: (Endpoint?.Ports ?? []).map((each) => ({
            port: `${each.TargetPort ?? 0}/${each.Protocol ?? "tcp"}`,
            published: each.PublishedPort ? String(each.PublishedPort) : "",
            mode: each.PublishMode === "host" ? ("host" as const) : ("ingress" as const),
          })),
          virtualIps: (Endpoint?.VirtualIPs ?? []).map(({ NetworkID, Addr }) => ({
            networkId: NetworkID ?? "",
            ip: (Addr ?? "").split("/")[0] ?? "",
          })),
          runningTasks: ServiceStatus?.RunningTasks ?? undefined,
          createdAt: CreatedAt ?? "",
        };
      });
    },

    async isSwarmLeader(options = {}) {
      const { Swarm } = checked(swarmInfo, await connection.json({ path: "/info", ...options }), "GET /info");
      if (!Swarm?.ControlAvailable || !Swarm.NodeID) return false;
      const path = `/nodes/${encodeURIComponent(Swarm.NodeID)}`;
      return checked(node, await connection.json({ path, ...options }), `GET ${path}`).ManagerStatus?.Leader === true;
    },

    async networkNames(options = {}) {
      const found = checked(networks, await connection.json({ path: "/networks", ...options }), "GET /networks");
      return new Map(found.map(({ Id, Name }) => [Id, Name]));
    },
  };
}
