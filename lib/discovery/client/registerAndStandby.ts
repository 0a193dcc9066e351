import type { Discovery, Instance, Leader, RegisterOptions } from "../discovery.ts";
import { openServiceSet } from "./serviceSet.ts";

/**
 * Registers (and heartbeats, until `deregister`), then waits to be the leader: at once when nobody else is there. Only one that resolved
 * should do the leader's work; it passes `fencingToken` along, since leadership may have moved on while it was not looking.
 *
 * @example
 * const { fencingToken } = await registerAndStandby(discovery, "cron", instance, { signal });
 * await storage.write(job, { fencingToken });
 */
export async function registerAndStandby(
  discovery: Discovery,
  service: string,
  instance: Instance,
  { signal, ...options }: RegisterOptions & { signal?: AbortSignal } = {},
): Promise<Leader> {
  await discovery.register(service, instance, { ...options, held: true });
  const set = await openServiceSet(discovery, service, signal ? { signal } : {});
  try {
    await set.until(({ leader }) => leader?.id === instance.id, signal);
    return { instance: set.leader ?? instance, fencingToken: set.fencingToken ?? 0 };
  } finally {
    set.close();
  }
}
