import { type Context, ExitError, type ListenAddress, UsageError } from "../../../lib/cli/index.ts";
import { createDiscoveryClient } from "../../../lib/discovery/index.ts";
import { createContainerWatcher, DockerError, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { bindPolicy, createMetrics, readTokenFile, serveApi } from "../../../lib/http/index.ts";
import { createAmbassadorApi } from "../api/createAmbassadorApi.ts";
import { AmbassadorHeldError, type PlaneChoice, type RunningAmbassador, startAmbassador } from "../index.ts";

export interface ServeValues {
  discovery: string;
  discoveryTokenFile: string | undefined;
  docker: string | undefined;
  plane: PlaneChoice;
  listen: ListenAddress;
  tokenFile: string | undefined;
  insecure: boolean;
}

/** Runs until the context's signal aborts. */
export async function serve(context: Context, values: ServeValues): Promise<number> {
  const { log, signal } = context;
  const token = values.tokenFile === undefined ? undefined : await readTokenFile(values.tokenFile);
  const refusal = bindPolicy(values.listen, { token, insecure: values.insecure });
  if (refusal) throw new UsageError(`--listen ${refusal}`);
  const docker = dockerOf(context, values);
  const discovery = discoveryOf(values, await tokenOf(values.discoveryTokenFile));

  const closers: (() => Promise<unknown>)[] = [];
  try {
    const containers = createContainerWatcher(docker, { log: log.child("docker") });
    closers.push(
      () => containers.close(),
      () => discovery.close(),
    );
    const ambassador = await start({
      containers,
      networks: docker,
      discovery,
      log: log.child("routes"),
      plane: values.plane,
    });
    closers.push(() => ambassador.close());
    const api = createAmbassadorApi(ambassador, {
      version: context.version,
      bind: values.listen.hostname,
      token,
      metrics: createMetrics(),
      log: log.child("api"),
    });
    const server = await serveApi(api, values.listen);
    closers.push(() => server.stop());
    log.info("ambassadord serves", {
      api: server.url,
      docker: docker.endpoint.name,
      discovery: values.discovery,
      kernel: ambassador.kernelUnavailable ?? "yes",
    });
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    return 0;
  } finally {
    // In the opposite order: what uses a part ends before it.
    for (const close of closers.reverse())
      await close().catch((error: unknown) => log.warn("on stopping", { reason: String(error) }));
  }
}

async function start(options: Parameters<typeof startAmbassador>[0]): Promise<RunningAmbassador> {
  try {
    return await startAmbassador(options);
  } catch (error) {
    if (error instanceof AmbassadorHeldError) throw new ExitError(3, error.message);
    throw error;
  }
}

function dockerOf({ env }: Context, { docker }: ServeValues): ReturnType<typeof dockerClientFromEnv> {
  try {
    return dockerClientFromEnv(docker === undefined ? env : { ...env, DOCKER_HOST: docker });
  } catch (error) {
    if (error instanceof DockerError) throw new UsageError(`--docker: ${error.message}`);
    throw error;
  }
}

function discoveryOf({ discovery }: ServeValues, token: string | undefined): ReturnType<typeof createDiscoveryClient> {
  try {
    return createDiscoveryClient({ url: discovery, token });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`--discovery ${discovery}: not a URL of discoverd`);
    throw error;
  }
}

async function tokenOf(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : readTokenFile(path);
}
