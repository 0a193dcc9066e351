import type { Struct } from "../../../lib/template/values.ts";
import type { InspectedContainer } from "../services/ports.ts";

/**
 * The `-tags` of one container: a Go template over the container as the original's Docker library shows it. Plain text comes back
 * as it is, and loads nothing.
 * @throws {TemplateError}
 *
 * @example
 * await renderTags("{{.Config.Hostname}},blue", container); // "4f1d,blue"
 */
export async function renderTags(tags: string, container: InspectedContainer): Promise<string> {
  if (!tags.includes("{{")) return tags;
  const [{ executeTemplate }, { tagFunctions }] = await Promise.all([
    import("../../../lib/template/execute.ts"),
    import("../../../lib/template/tagFunctions.ts"),
  ]);
  return executeTemplate(tags, dockerContainer(container), { functions: tagFunctions });
}

/** Refuses a template that no container could make work, before any is there. @throws {TemplateError} */
export async function checkTags(tags: string): Promise<void> {
  if (!tags.includes("{{")) return;
  const [{ parse }, { builtins }, { tagFunctions }] = await Promise.all([
    import("../../../lib/template/parse.ts"),
    import("../../../lib/template/builtins.ts"),
    import("../../../lib/template/tagFunctions.ts"),
  ]);
  parse(
    tags,
    (name) => name === "and" || name === "or" || Object.hasOwn(builtins, name) || Object.hasOwn(tagFunctions, name),
  );
}

function dockerContainer(container: InspectedContainer): Struct {
  const { state } = container;
  const networks = container.networks.map((network): [string, Struct] => [
    network.name,
    {
      IPAddress: network.ipv4,
      IPPrefixLen: network.ipv4PrefixLength,
      GlobalIPv6Address: network.ipv6,
      GlobalIPv6PrefixLen: network.ipv6PrefixLength,
      Gateway: network.gateway,
      MacAddress: network.macAddress,
      NetworkID: network.networkId,
      Aliases: network.aliases,
    },
  ]);
  const ports = new Map<string, Struct[]>();
  for (const { port, hostIp, hostPort } of container.ports) {
    const bindings = ports.get(port) ?? [];
    if (hostPort !== "") bindings.push({ HostIP: hostIp, HostPort: hostPort });
    ports.set(port, bindings);
  }
  return {
    ID: container.id,
    Name: `/${container.name}`,
    Created: container.createdAt,
    Image: container.image,
    Config: {
      Hostname: container.hostname,
      Image: container.image,
      Env: container.env,
      Labels: new Map(Object.entries(container.labels)),
      ExposedPorts: new Map(container.exposedPorts.map((port): [string, Struct] => [port, {}])),
    },
    HostConfig: { NetworkMode: container.networkMode },
    NetworkSettings: {
      IPAddress: container.topLevelIp ?? container.networks.find(({ name }) => name === "bridge")?.ipv4 ?? "",
      Networks: new Map(networks),
      Ports: ports,
    },
    State: {
      Running: state.running,
      Paused: state.paused,
      ExitCode: state.exitCode,
      Pid: container.pid,
      Status: state.status,
    },
  };
}
