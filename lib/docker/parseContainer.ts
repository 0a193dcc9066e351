import { z } from "zod";
import { checked } from "./checked.ts";
import type { Container, ContainerState, PortBinding } from "./containers.ts";

// Absent and null are filled in below: transforms here would double the time of each inspect.
const text = z.string().nullish();
const number = z.number().nullish();
const flag = z.boolean().nullish();
const texts = z.array(z.string()).nullish();

const binding = z.object({ HostIp: text, HostPort: text });

const network = z.object({
  NetworkID: text,
  IPAddress: text,
  IPPrefixLen: number,
  GlobalIPv6Address: text,
  GlobalIPv6PrefixLen: number,
  Gateway: text,
  MacAddress: text,
  Aliases: texts,
});

const health = z.object({
  Status: text,
  Log: z.array(z.object({ Output: text })).nullish(),
});

/** As much of GET /containers/{id}/json as the tools decide from. Since API 1.52 addresses stand in Networks alone. */
const inspected = z.object({
  Id: z.string().min(1),
  Name: text,
  Created: text,
  State: z.object({
    Status: text,
    Running: flag,
    Paused: flag,
    Restarting: flag,
    ExitCode: number,
    Pid: number,
    StartedAt: text,
    Health: health.nullish(),
  }),
  Config: z.object({
    Hostname: text,
    Image: text,
    Env: texts,
    Labels: z.record(z.string(), z.string()).nullish(),
    StopSignal: text,
    ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
    Healthcheck: z.unknown().optional(),
  }),
  HostConfig: z
    .object({ NetworkMode: text, PortBindings: z.record(z.string(), z.unknown()).nullish(), PublishAllPorts: flag })
    .nullish(),
  NetworkSettings: z
    .object({
      Ports: z.record(z.string(), z.array(binding).nullish()).nullish(),
      Networks: z.record(z.string(), network.nullish()).nullish(),
    })
    .nullish(),
});

type Inspected = z.infer<typeof inspected>;

/** What many containers have in common (their image's environment, their network) is kept once. */
const shared = new Map<string, string>();
const maxShared = 4096;
const maxSharedLetters = 256;

function share(text: string | null | undefined): string {
  if (!text) return "";
  if (text.length > maxSharedLetters) return text;
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= maxShared) shared.clear();
  shared.set(text, text);
  return text;
}

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
    name: (data.Name ?? "").replace(/^\//, ""),
    image: share(data.Config.Image),
    hostname: data.Config.Hostname ?? "",
    env: (data.Config.Env ?? []).map(share),
    labels: data.Config.Labels ?? {},
    exposedPorts: Object.keys(data.Config.ExposedPorts ?? {}).sort(),
    networkMode: share(data.HostConfig?.NetworkMode),
    ports: portsOf(data),
    networks: networksOf(data),
    state: stateOf(data),
    pid: data.State.Running ? (data.State.Pid ?? 0) : 0,
    createdAt: data.Created ?? "",
    startedAt: data.State.StartedAt ?? "",
    ...(data.Config.StopSignal ? { stopSignal: data.Config.StopSignal } : {}),
    ...(isForeseeable(data) ? { foreseeable: true } : {}),
  };
}

function portsOf(data: Inspected): PortBinding[] {
  return Object.entries(data.NetworkSettings?.Ports ?? {})
    .sort(byName)
    .flatMap(([port, bindings]) =>
      bindings && bindings.length > 0
        ? bindings.map(({ HostIp, HostPort }) => ({ port, hostIp: HostIp ?? "", hostPort: HostPort ?? "" }))
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
              networkId: share(each.NetworkID),
              ipv4: each.IPAddress ?? "",
              ipv4PrefixLength: each.IPPrefixLen ?? 0,
              ipv6: each.GlobalIPv6Address ?? "",
              ipv6PrefixLength: each.GlobalIPv6PrefixLen ?? 0,
              gateway: share(each.Gateway),
              macAddress: each.MacAddress ?? "",
              aliases: each.Aliases ?? [],
            },
          ]
        : [],
    );
}

function isForeseeable({ Config, HostConfig }: Inspected): boolean {
  if (!HostConfig || HostConfig.PublishAllPorts || Config.Healthcheck) return false;
  return Object.keys(HostConfig.PortBindings ?? {}).length === 0;
}

const statuses = new Set<string>(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);
const healths = new Set<string>(["none", "starting", "healthy", "unhealthy"]);

function stateOf({ State }: Inspected): ContainerState {
  return {
    status: statusOf(State),
    running: State.Running ?? false,
    paused: State.Paused ?? false,
    exitCode: State.ExitCode ?? 0,
    health:
      State.Health?.Status && healths.has(State.Health.Status)
        ? (State.Health.Status as ContainerState["health"])
        : "none",
    healthOutput: (State.Health?.Log?.at(-1)?.Output ?? "").slice(0, maxHealthOutput),
  };
}

/** Other engines (Podman) have words of their own; the flags say the same. */
function statusOf(state: Inspected["State"]): ContainerState["status"] {
  if (statuses.has(state.Status ?? "")) return state.Status as ContainerState["status"];
  if (state.Restarting) return "restarting";
  if (state.Paused) return "paused";
  if (state.Running) return "running";
  return !state.StartedAt || state.StartedAt.startsWith("0001-") ? "created" : "exited";
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
