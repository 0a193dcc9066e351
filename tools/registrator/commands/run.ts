import { type Context, ExitError, UsageError } from "../../../lib/cli/index.ts";
import { createContainerWatcher, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { type OpenRegistry, openRegistry } from "../registries/openRegistry.ts";
import { startRegistrator } from "../startRegistrator.ts";
import { checkFlags, type DaemonFlags, settingsOf } from "./settings.ts";

/** The daemon: until its signal, whatever becomes of Docker or the registry. */
export async function run(
  context: Context,
  values: DaemonFlags & { uri: string | undefined; shutdown: "keep" | "deregister"; cleanup: boolean },
): Promise<number> {
  const { log, signal } = context;
  if (!values.uri) throw new UsageError("Missing required argument for registry URI.", { showUsage: true });
  checkFlags(values);
  const options = await settingsOf(values);
  const docker = dockerClientFromEnv(context.env);
  const opened = await openRegistry(values.uri, {
    ttl: values.ttl,
    ttlRefresh: values.ttlRefresh,
    log: log.child("registry"),
  });

  log.info(`registrator ${context.version} is starting`, { docker: docker.endpoint.name, registry: values.uri });
  if (values.ip) log.info(`forcing the host's address to ${values.ip}`);
  try {
    if (values.retryAttempts !== undefined) await connect(opened, values.retryAttempts, values.retryInterval, context);
    if (signal.aborted) return 0;
    const containers = createContainerWatcher(docker, { log: log.child("docker") });
    const registrator = startRegistrator({ containers, registries: [opened.registry], options, log });
    await aborted(signal);
    log.info(values.shutdown === "keep" ? "stopping; entries stay" : "stopping; entries are taken out");
    await registrator.close(values.shutdown);
    await containers.close();
    return 0;
  } finally {
    await opened.close();
  }
}

/** @throws {ExitError} code 1 with the last answer, when no try did it */
async function connect(
  opened: OpenRegistry,
  attempts: number,
  intervalMs: number,
  { log, signal }: Context,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    log.info(`connecting to the registry (${attempt}/${attempts})`);
    try {
      await opened.ping();
      return;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (attempts >= 0 && attempt >= attempts) throw new ExitError(1, message, { cause: error });
      log.warn("the registry does not answer", { reason: message });
    }
    await aborted(AbortSignal.any([signal, AbortSignal.timeout(intervalMs)]));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
