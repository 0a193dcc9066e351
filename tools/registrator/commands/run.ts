import { type Context, ExitError, type Options } from "../../../lib/cli/index.ts";
import { createContainerWatcher, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { collectSeldom } from "../../../lib/runtime/collectSeldom.ts";
import { compileSeldom } from "../../../lib/runtime/compileSeldom.ts";
import type { OpenRegistry } from "../registries/openRegistry.ts";
import { settleMemory } from "../settleMemory.ts";
import { type ExitPolicy, type Registrator, startRegistrator } from "../startRegistrator.ts";
import type { SwarmMode } from "../swarm/swarmContainers.ts";
import { type ApiFlags, daemonApi } from "./daemonApi.ts";
import { closeAll, openRegistries, type RegistryFlags } from "./openRegistries.ts";
import { checkFlags } from "./settings.ts";

/** The daemon's own flags, beside those of its registries. */
export interface RunFlags extends RegistryFlags, ApiFlags {
  onExit: ExitPolicy;
  swarm: "off" | SwarmMode;
}

/**
 * The daemon: until its signal, whatever becomes of Docker or a registry.
 * @param own the flags that a registry may have for itself
 */
export async function run(context: Context, values: RunFlags, own: Options): Promise<number> {
  const { log, signal } = context;
  if (signal.aborted) return 0;
  collectSeldom();
  // A container's start is a few hundred short functions once in a while: to compile them takes longer than to run them.
  compileSeldom();
  if (values.uri || values.registry.length > 0) checkFlags(values);
  const registries = await openRegistries(context, values, own);
  try {
    const docker = dockerClientFromEnv(context.env);
    const api = await daemonApi(context, values, docker);
    const fields = { docker: docker.endpoint.name, registry: registries.map(({ uri }) => uri).join(" ") };
    log.info(`registrator ${context.version} is starting`, fields);
    if (values.ip) log.info(`forcing the host's address to ${values.ip}`);
    if (values.retryAttempts !== undefined) {
      for (const { opened } of registries) await connect(opened, values.retryAttempts, values.retryInterval, context);
    }
    if (signal.aborted) return 0;
    const { swarm: mode } = values;
    // A template may ask for what only the start decides, and Swarm's services are not the engine's to foresee.
    const hasTemplate = registries.some(({ options }) => options.tags?.includes("{{"));
    const foresee = mode === "off" && !hasTemplate;
    let begin: Registrator["begin"] | undefined;
    const watched = createContainerWatcher(api.engine, {
      log: log.child("docker"),
      foresee,
      // What Swarm makes of a container, only a state has.
      ...(mode === "off" ? { onStarted: (container) => begin?.(container) } : {}),
    });
    const containers =
      mode === "off"
        ? watched
        : (await import("../swarm/withSwarm.ts")).withSwarm(watched, { docker, mode, log: log.child("swarm") });
    const registrator = startRegistrator({
      containers,
      registries: registries.map(({ opened, options }) => ({ registry: opened.registry, options })),
      options: values.owner ? { owner: values.owner } : {},
      log,
    });
    begin = (container) => registrator.begin(container);
    void settleMemory(registrator, signal);
    try {
      await api.serve(registrator);
      await aborted(signal);
      log.info(atExit[values.onExit]);
      await registrator.close(values.onExit);
    } finally {
      await api.stop();
      await containers.close();
    }
    return 0;
  } finally {
    await closeAll(registries);
  }
}

const atExit: Record<ExitPolicy, string> = {
  keep: "stopping; entries stay",
  deregister: "stopping; entries are taken out",
  maintenance: "stopping; entries are put into maintenance, or taken out",
};

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
