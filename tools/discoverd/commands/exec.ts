import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { keepRegistered } from "../../../lib/discovery/client/keepRegistered.ts";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { validateInstance } from "../../../lib/discovery/validateInstance.ts";
import { validateService } from "../../../lib/discovery/validateService.ts";
import { type AddressValues, hostOf, nameAndPort } from "./addressOf.ts";
import { checkOf } from "./checkOf.ts";
import { startChild, takeSignals } from "./childProcess.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { metaOf } from "./metaOf.ts";

export interface ExecValues extends ClientValues, AddressValues {
  service: readonly string[];
  meta: readonly string[];
  check: readonly string[];
  proto: string;
  command: readonly string[];
}

/** How long a deregistration may hold up the signal that asked for the end, ms. */
const leaveMs = 2000;

/**
 * sdutil's `exec`: starts the command, registers its services while it runs (and while its checks pass), forwards signals, and ends with
 * the command's status. A signal to end (SIGTERM, SIGINT, SIGQUIT, SIGHUP) takes it out of the registry first.
 */
export async function exec(context: Context, values: ExecValues): Promise<number> {
  const { log, env } = context;
  if (values.command.length === 0) throw new UsageError("no command to exec");
  if (values.service.length === 0) throw new UsageError("which service? -s NAME:PORT");
  const { services, checks } = await wanted(values, env);
  const client = await clientOf(context, values);
  const child = await startChild(values.command, env);
  const kept = services.map(({ name, instance }) =>
    keepRegistered(client, name, instance, { checks, log, ...(values.check.length > 0 ? { docker } : {}) }),
  );
  for (const each of kept) each.whenRegistered.catch(() => undefined); // its log line said why

  let leaving: Promise<unknown> | undefined;
  const leave = () => {
    leaving ??= Promise.race([
      Promise.all(kept.map((each) => each.close())),
      new Promise((resolve) => setTimeout(resolve, leaveMs)),
    ]);
    return leaving;
  };
  const onSignal = (name: NodeJS.Signals, isTerminals: boolean) => {
    const isEnd = name === "SIGTERM" || name === "SIGINT" || name === "SIGQUIT" || name === "SIGHUP";
    const first = isEnd && leaving === undefined;
    const pass = () => {
      if (!isTerminals) child.signal(name);
    };
    if (first) void leave().then(pass);
    else pass();
  };
  takeSignals(onSignal);
  if (context.signal.aborted) onSignal("SIGTERM", false); // it came while we started
  const code = await child.exited;
  await leave();
  await client.close();
  return code;
}

async function wanted(values: ExecValues, env: Context["env"]) {
  const host = hostOf(values, env);
  const meta = metaOf(values.meta);
  const services = values.service.map((text) => {
    const { name, port } = nameAndPort(text);
    const addr = `${host}:${port}`;
    const { proto } = values;
    const instance: Instance = { id: instanceId(proto, addr), addr, proto, ...(meta ? { meta } : {}) };
    try {
      validateService(name);
      validateInstance(instance);
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error));
    }
    return { name, instance };
  });
  return { services, checks: await Promise.all(values.check.map((text) => checkOf(text))) };
}

/** The engine that DOCKER_HOST names, for checks in containers. */
export async function docker() {
  return (await import("../../../lib/docker/createDockerClient.ts")).dockerClientFromEnv();
}
