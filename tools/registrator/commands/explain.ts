import { readFileSync } from "node:fs";
import { escapeControl } from "../../../lib/cli/escapeControl.ts";
import { type Context, ExitError, UsageError } from "../../../lib/cli/index.ts";
import { type Explanation, explain } from "../explain/explain.ts";
import { type InspectedContainers, readInspects } from "../explain/readInspects.ts";
import type { RegistratorOptions } from "../startRegistrator.ts";
import { checkFlags, type DaemonFlags, settingsOf } from "./settings.ts";

interface Source {
  inspect: string | undefined;
  target: string | undefined;
  container: string | undefined;
}

/** Prints what would be registered; from a file or stdin nothing but that is read. */
export async function explainCommand(context: Context, values: DaemonFlags & Source): Promise<void> {
  checkFlags(values);
  if (!values.inspect && !values.container) throw new UsageError("name a CONTAINER, or a file by --inspect");
  if (values.inspect && values.container) throw new UsageError("either a CONTAINER or --inspect, not both");
  const settings = await settingsOf(values);
  const answer = await answerOf(context, values, settings).catch((error: unknown) => {
    if (error instanceof UsageError) throw error;
    throw new ExitError(1, error instanceof Error ? error.message : String(error), { cause: error });
  });
  if (context.json) {
    context.out(JSON.stringify(answer));
    return;
  }
  // Names, tags and attributes are the container's: a terminal obeys what it is sent.
  const say = (line: string) => context.out(escapeControl(line));
  for (const service of answer.services) {
    say(
      `${service.ID}: ${service.Name} at ${service.IP.includes(":") ? `[${service.IP}]` : service.IP}:${service.Port}`,
    );
    if (service.Tags.length > 0) say(`  tags   ${service.Tags.join(", ")}`);
    if (service.Health) say(`  health ${service.Health.State}: ${service.Health.Output.trim()}`);
    for (const [name, { IP, Port }] of Object.entries(service.Addresses ?? {}))
      say(`  ${name.padEnd(6)} ${IP.includes(":") ? `[${IP}]` : IP}:${Port}`);
    for (const [key, value] of Object.entries(service.Attrs)) say(`  ${key}=${value}`);
  }
  for (const { port, why } of answer.ignored) say(`${port === "" ? "the container" : port} is not registered: ${why}`);
}

async function answerOf(context: Context, values: Source, settings: RegistratorOptions): Promise<Explanation> {
  const { containers, target } = values.inspect
    ? { containers: readInspects(readJson(values.inspect)), target: values.target }
    : await inspected(context, values.container ?? "");
  return explain({ ...settings, containers, target, hostname: settings.hostname ?? "" });
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new UsageError(`--inspect ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--inspect ${path}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The container and, in `container:` mode, the one whose network it shares. */
async function inspected(context: Context, name: string): Promise<{ containers: InspectedContainers; target: string }> {
  const { dockerClientFromEnv } = await import("../../../lib/docker/index.ts");
  const docker = dockerClientFromEnv(context.env);
  const container = await docker.inspectContainer(name);
  const { id, networkMode } = container;
  const other = networkMode.startsWith("container:") ? networkMode.slice("container:".length) : undefined;
  // Gone or unreadable: then the explanation says so.
  const shared = other === undefined ? undefined : await docker.inspectContainer(other).catch(() => undefined);
  return { containers: new Map([container, ...(shared ? [shared] : [])].map((each) => [each.id, each])), target: id };
}
