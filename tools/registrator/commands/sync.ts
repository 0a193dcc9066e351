import { type Context, ExitError, type Options, UsageError } from "../../../lib/cli/index.ts";
import { createContainerWatcher, dockerClientFromEnv } from "../../../lib/docker/index.ts";
import { type RegistratorEvent, startRegistrator } from "../startRegistrator.ts";
import { closeAll, openRegistries, type RegistryFlags } from "./openRegistries.ts";
import { checkFlags } from "./settings.ts";

export interface SyncFlags extends RegistryFlags {
  once: boolean;
  /** ms */
  timeout: number;
}

/**
 * `sync --once`: makes the registries equal to Docker, prints what was written or refused, and ends.
 * @param own the flags that a registry may have for itself
 * @throws {ExitError} code 1: it did not come to be within the time
 */
export async function sync(context: Context, values: SyncFlags, own: Options): Promise<void> {
  if (!values.once) throw new UsageError("sync is done once: give --once; without end it is `registrator REGISTRY`");
  if (values.uri || values.registry.length > 0) checkFlags(values);
  const registries = await openRegistries(context, values, own);
  const containers = createContainerWatcher(dockerClientFromEnv(context.env), { log: context.log.child("docker") });
  const registrator = startRegistrator({
    containers,
    registries: registries.map(({ opened, options }) => ({ registry: opened.registry, options })),
    options: values.owner ? { owner: values.owner } : {},
    log: context.log,
  });
  const done: RegistratorEvent[] = [];
  const gather = async () => {
    for await (const event of registrator.events(context.signal)) done.push(event);
  };
  const gathered = gather();
  try {
    const isSettled = await registrator.settled(values.timeout);
    const { connected, reason, registries: states } = registrator.status();
    await registrator.close("keep");
    await gathered;
    print(context, done);
    if (isSettled) return;
    if (!connected) throw new ExitError(1, `Docker is not reached: ${reason}`);
    const troubled = states.find(({ lastError }) => lastError !== undefined);
    throw new ExitError(1, `not all is written: ${troubled?.lastError ?? "it took too long"}`);
  } finally {
    await containers.close();
    await closeAll(registries);
  }
}

function print(context: Context, events: readonly RegistratorEvent[]): void {
  const rows = events.map(({ registry, kind, service, address, container, containerId, reason = "" }) => {
    return { registry, action: kind, service, address, container, id: containerId, reason };
  });
  if (rows.length === 0 && !context.json) context.out("nothing: the registry is as Docker is");
  else context.table(rows, ["registry", "action", "service", "address", "container", "reason"]);
}
