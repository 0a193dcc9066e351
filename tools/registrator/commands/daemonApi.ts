import { type Context, ExitError, type ListenAddress, UsageError } from "../../../lib/cli/index.ts";
import type { WatchedEngine } from "../../../lib/docker/createContainerWatcher.ts";
import { bindPolicy } from "../../../lib/http/bindPolicy.ts";
import { readTokenFile } from "../../../lib/http/readTokenFile.ts";
import type { Registrator } from "../startRegistrator.ts";

export interface ApiFlags {
  listen: ListenAddress | undefined;
  tokenFile: string | undefined;
  insecure: boolean;
}

/** The daemon's API; it counts the engine's events from before the watcher is made. */
export interface DaemonApi {
  /** The engine to watch. */
  engine: WatchedEngine;
  /** Listens. @throws {ExitError} code 1: the address cannot be had */
  serve(registrator: Registrator): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Without `-listen` it is none: the engine is as it was given, and nothing of the API is loaded.
 * @throws {UsageError} it would be open to the network without a token
 */
export async function daemonApi(context: Context, values: ApiFlags, engine: WatchedEngine): Promise<DaemonApi> {
  const { listen } = values;
  if (!listen) return { engine, serve: async () => {}, stop: async () => {} };
  const token = values.tokenFile === undefined ? undefined : await tokenIn(values.tokenFile);
  const refusal = bindPolicy(listen, { token, insecure: values.insecure });
  if (refusal) throw new UsageError(`-listen ${refusal}`);
  const [{ createRegistratorApi }, { countedEngine }, { registratorMetrics }, { serveApi }] = await Promise.all([
    import("../api/createRegistratorApi.ts"),
    import("../api/countedEngine.ts"),
    import("../api/registratorMetrics.ts"),
    import("../../../lib/http/serveApi.ts"),
  ]);
  const { metrics, sawEvent, follow } = registratorMetrics();
  let stop = async () => {};
  return {
    engine: countedEngine(engine, sawEvent),
    async serve(registrator) {
      follow(registrator);
      const log = context.log.child("api");
      const { version } = context;
      const api = createRegistratorApi(registrator, { version, bind: listen.hostname, token, metrics, log });
      const server = await serveApi(api, listen).catch((error: unknown) => {
        throw new ExitError(1, `-listen: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      });
      stop = () => server.stop();
      context.log.info("the API is served", { url: server.url });
    },
    stop: () => stop(),
  };
}

async function tokenIn(path: string): Promise<string> {
  try {
    return await readTokenFile(path);
  } catch (error) {
    throw new ExitError(1, `-token-file: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
