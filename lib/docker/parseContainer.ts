import { type AnswerFields, answerFields } from "./answerFields.ts";
import type { Container, ContainerState, PortBinding } from "./containers.ts";
import { DockerError } from "./dockerError.ts";

/** What many containers have in common (their image's environment, their network) is kept once. */
const shared = new Map<string, string>();
const maxShared = 4096;
const maxSharedLetters = 256;

function share(text: string | undefined): string {
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
  const data = answerFields(raw, "inspect");
  const [state, config] = [data.object("State"), data.object("Config")];
  const id = data.text("Id");
  if (id === "" || !state || !config) {
    throw new DockerError("bad_answer", `inspect: ${id === "" ? "Id" : state ? "Config" : "State"}: is missing`);
  }
  const host = data.object("HostConfig");
  const settings = data.object("NetworkSettings");
  const stopSignal = config.text("StopSignal");
  return {
    id,
    name: data.text("Name").replace(/^\//, ""),
    image: share(config.text("Image")),
    hostname: config.text("Hostname"),
    env: config.texts("Env").map(share),
    labels: config.record("Labels"),
    exposedPorts: config.names("ExposedPorts"),
    networkMode: share(host?.text("NetworkMode")),
    ports: portsOf(settings),
    networks: networksOf(settings),
    state: stateOf(state),
    pid: state.flag("Running") ? state.number("Pid") : 0,
    createdAt: data.text("Created"),
    startedAt: state.text("StartedAt"),
    ...(stopSignal === "" ? {} : { stopSignal }),
    ...(host && isForeseeable(config, host) ? { foreseeable: true } : {}),
  };
}

function portsOf(settings: AnswerFields | undefined): PortBinding[] {
  const ports = settings?.object("Ports");
  if (!settings || !ports) return [];
  return settings.names("Ports").flatMap((port) => {
    const bindings = ports.objects(port);
    if (bindings.length === 0) return [{ port, hostIp: "", hostPort: "" }];
    return bindings.map((each) => ({ port, hostIp: each.text("HostIp"), hostPort: each.text("HostPort") }));
  });
}

function networksOf(settings: AnswerFields | undefined): Container["networks"] {
  const networks = settings?.object("Networks");
  if (!settings || !networks) return [];
  return settings.names("Networks").flatMap((name) => {
    const each = networks.object(name);
    if (!each) return [];
    return [
      {
        name,
        networkId: share(each.text("NetworkID")),
        ipv4: each.text("IPAddress"),
        ipv4PrefixLength: each.number("IPPrefixLen"),
        ipv6: each.text("GlobalIPv6Address"),
        ipv6PrefixLength: each.number("GlobalIPv6PrefixLen"),
        gateway: share(each.text("Gateway")),
        macAddress: each.text("MacAddress"),
        aliases: each.texts("Aliases"),
      },
    ];
  });
}

function isForeseeable(config: AnswerFields, host: AnswerFields): boolean {
  if (host.flag("PublishAllPorts") || config.has("Healthcheck")) return false;
  return host.names("PortBindings").length === 0;
}

const statuses = new Set<string>(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);
const healths = new Set<string>(["none", "starting", "healthy", "unhealthy"]);

function stateOf(state: AnswerFields): ContainerState {
  const health = state.object("Health");
  const status = health?.text("Status") ?? "";
  return {
    status: statusOf(state),
    running: state.flag("Running"),
    paused: state.flag("Paused"),
    exitCode: state.number("ExitCode"),
    health: healths.has(status) ? (status as ContainerState["health"]) : "none",
    healthOutput: (health?.objects("Log").at(-1)?.text("Output") ?? "").slice(0, maxHealthOutput),
  };
}

/** Other engines (Podman) have words of their own; the flags say the same. */
function statusOf(state: AnswerFields): ContainerState["status"] {
  const status = state.text("Status");
  if (statuses.has(status)) return status as ContainerState["status"];
  if (state.flag("Restarting")) return "restarting";
  if (state.flag("Paused")) return "paused";
  if (state.flag("Running")) return "running";
  const startedAt = state.text("StartedAt");
  return startedAt === "" || startedAt.startsWith("0001-") ? "created" : "exited";
}
