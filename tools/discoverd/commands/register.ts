import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { keepRegistered } from "../../../lib/discovery/client/keepRegistered.ts";
import type { Instance } from "../../../lib/discovery/discovery.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { validateInstance } from "../../../lib/discovery/validateInstance.ts";
import { validateService } from "../../../lib/discovery/validateService.ts";
import { checkOf } from "./checkOf.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";
import { docker } from "./exec.ts";
import { metaOf } from "./metaOf.ts";

export interface RegisterValues extends ClientValues {
  name: string;
  addr: string;
  proto: string;
  meta: readonly string[];
  weight: number | undefined;
  zone: string | undefined;
  ttl: number | undefined;
  check: readonly string[];
  checksBy: "self" | "daemon";
}

/**
 * Registers an address (and its service, where it is new), sends its heartbeats (while its checks pass) until it is stopped, then
 * deregisters it. With checks that the daemons run it ends at once: those keep the registration, and say how it is.
 */
export async function register(context: Context, values: RegisterValues): Promise<void> {
  const { log, signal } = context;
  const { name } = values;
  const instance = instanceOf(values);
  const checks = await Promise.all(values.check.map((text) => checkOf(text)));
  const client = await clientOf(context, values);
  const told = () => {
    if (context.json) context.out(JSON.stringify({ service: name, ...instance }));
  };
  try {
    if (values.checksBy === "daemon") {
      if (checks.length === 0)
        throw new UsageError("--checks-by daemon: without a --check nobody could tell when it is gone");
      await client.addService(name).catch((error: unknown) => {
        if (!(error instanceof DiscoveryError && error.code === "object_exists")) throw error;
      });
      await client.setChecks(name, instance, checks);
      log.info("registered; the daemons check it", { service: name, addr: instance.addr });
      told();
      return;
    }
    const kept = keepRegistered(client, name, instance, {
      checks,
      log,
      docker,
      ...(values.ttl === undefined ? {} : { ttlMs: values.ttl }),
    });
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([kept.whenRegistered.then(told), stopped]);
    await stopped;
    await kept.close();
  } finally {
    await client.close();
  }
}

function instanceOf({ name, addr, proto, meta, weight, zone }: RegisterValues): Instance {
  const pairs = metaOf(meta);
  const instance: Instance = {
    id: instanceId(proto, addr),
    addr,
    proto,
    ...(pairs ? { meta: pairs } : {}),
    ...(weight === undefined ? {} : { weight }),
    ...(zone === undefined ? {} : { zone }),
  };
  try {
    validateService(name);
    validateInstance(instance);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return instance;
}
