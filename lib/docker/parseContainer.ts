import { z } from "zod";
import { checked } from "./checked.ts";
import type { Container, ContainerState, PortBinding } from "./containers.ts";

const textOr = (fallback: string) =>
  z
    .string()
    .nullish()
    .transform((value) => value ?? fallback);
const numberOr0 = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const textMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const binding = z.object({ HostIp: textOr(""), HostPort: textOr("") });

const network = z.object({
  NetworkID: textOr(""),
  IPAddress: textOr(""),
  IPPrefixLen: numberOr0,
  GlobalIPv6Address: textOr(""),
  GlobalIPv6PrefixLen: numberOr0,
  Gateway: textOr(""),
  MacAddress: textOr(""),
  Aliases: texts,
});

const health = z.object({
  Status: textOr("none"),
  Log: z.array(z.object({ Output: textOr("") })).nullish(),
});

/** As much of GET /containers/{id}/json as the tools decide from. Since API 1.52 addresses stand in Networks alone. */
const inspected = z.object({
  Id: z.string().min(1),
  Name: textOr(""),
  Created: textOr(""),
  State: z.object({
    Status: textOr(""),
    Running: flag,
    Paused: flag,
    Restarting: flag,
    ExitCode: numberOr0,
    Pid: numberOr0,
    StartedAt: textOr(""),
    Health: health.nullish(),
  }),
  Config: z.object({
    Hostname: textOr(""),
    Image: textOr(""),
    Env: texts,
    Labels: textMap,
    StopSignal: textOr(""),
    ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  }),
  HostConfig: z.object({ NetworkMode: textOr("") }).nullish(),
  NetworkSettings: z
    .object({
      Ports: z.record(z.string(), z.array(binding).nullish()).nullish(),
      Networks: z.record(z.string(), network.nullish()).nullish(),
    })
    .nullish(),
});

type Inspected = z.infer<typeof inspected>;

/** Letters of a health check's output that are kept. */
const maxHealthOutput = 4096;

/**
 * The answer of GET /containers/{id}/json as a {@link Container}: null and absent become empty, lists have a fixed order, so
 * that two answers that say the same are equal.
 *
 * @throws {DockerError} bad_answer, naming the first field of a wrong kind
 *
 * @example
 * parseContainer({ Id: "4f…", Name: "/web", State: { Status: "running", Running: true }, Config: { Env: null } }).env; // []
 */
export function parseContainer(raw: unknown): Container {
  const data = checked(inspected, raw, "inspect");
  return {
    id: data.Id,
    name: data.Name.replace(/^\//, ""),
    image: data.Config.Image,
    hostname: data.Config.Hostname,
    env: data.Config.Env,
    labels: data.Config.Labels,
    exposedPorts: Object.keys(data.Config.ExposedPorts ?? {}).sort(),
    networkMode: data.HostConfig?.NetworkMode ?? "",
    ports: portsOf(data),
    networks: networksOf(data),
    state: stateOf(data),
    pid: data.State.Running ? data.State.Pid : 0,
    createdAt: data.Created,
    startedAt: data.State.StartedAt,
    ...(data.Config.StopSignal ? { stopSignal: data.Config.StopSignal } : {}),
  };
}

function portsOf(data: Inspected): PortBinding[] {
  return Object.entries(data.NetworkSettings?.Ports ?? {})
    .sort(byName)
    .flatMap(([port, bindings]) =>
      bindings && bindings.length > 0
        ? bindings.map(({ HostIp, HostPort }) => ({ port, hostIp: HostIp, hostPort: HostPort }))
        : [{ port, hostIp: "", hostPort: "" }],
    );
}

function networksOf(data: Inspected): Container["networks"] {
  return Object.entries(data.NetworkSettings?.Networks ?? {})
    .sort(byName)
    .flatMap(([name, each]) =>
      each
        ? [
            {
              name,
              networkId: each.NetworkID,
              ipv4: each.IPAddress,
              ipv4PrefixLength: each.IPPrefixLen,
              ipv6: each.GlobalIPv6Address,
              ipv6PrefixLength: each.GlobalIPv6PrefixLen,
              gateway: each.Gateway,
              macAddress: each.MacAddress,
              aliases: each.Aliases,
            },
          ]
        : [],
    );
}

const statuses = new Set<string>(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);
const healths = new Set<string>(["none", "starting", "healthy", "unhealthy"]);

function stateOf({ State }: Inspected): ContainerState {
  return {
    status: statusOf(State),
    running: State.Running,
    paused: State.Paused,
    exitCode: State.ExitCode,
    health:
      State.Health && healths.has(State.Health.Status) ? (State.Health.Status as ContainerState["health"]) : "none",
    healthOutput: (State.Health?.Log?.at(-1)?.Output ?? "").slice(0, maxHealthOutput),
  };
}

/** Other engines (Podman) have words of their own; the flags say the same. */
function statusOf(state: Inspected["State"]): ContainerState["status"] {
  if (statuses.has(state.Status)) return state.Status as ContainerState["status"];
  if (state.Restarting) return "restarting";
  if (state.Paused) return "paused";
  if (state.Running) return "running";
  return state.StartedAt === "" || state.StartedAt.startsWith("0001-") ? "created" : "exited";
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
