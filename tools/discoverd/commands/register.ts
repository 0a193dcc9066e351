import type { Context } from "../../../lib/cli/index.ts";
import { UsageError } from "../../../lib/cli/usageError.ts";
import { DiscoveryError } from "../../../lib/discovery/discoveryError.ts";
import { instanceId } from "../../../lib/discovery/instanceId.ts";
import { type ClientValues, clientOf } from "./clientOf.ts";

export interface RegisterValues extends ClientValues {
  name: string;
  addr: string;
  proto: string;
  meta: readonly string[] | undefined;
}

/** Registers an address (and its service, where it is new), sends its heartbeats until it is stopped, then deregisters it. */
export async function register(context: Context, values: RegisterValues): Promise<void> {
  const { log, signal } = context;
  const { name, addr, proto } = values;
  const meta = Object.fromEntries((values.meta ?? []).map(pairOf));
  const id = instanceId(proto, addr);
  const client = await clientOf(context, values);
  try {
    await client.addService(name).catch((error: unknown) => {
      if (!(error instanceof DiscoveryError) || error.code !== "object_exists") throw error;
    });
    await client.register(name, { id, addr, proto, ...(values.meta ? { meta } : {}) }, { held: true });
  } catch (error) {
    if (error instanceof DiscoveryError && error.code === "validation_error") throw new UsageError(error.message);
    throw error;
  }
  if (context.json) context.out(JSON.stringify({ service: name, id, addr, proto }));
  log.info("registered", { service: name, addr, id });
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  await client.deregister(name, id).catch((error: unknown) => {
    log.warn("could not deregister; it expires by its TTL", { service: name, addr, error: String(error) });
  });
  await client.close();
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--meta ${text}: must be NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}
