import { backoff } from "../../../lib/docker/backoff.ts";
import { pause } from "../../../lib/time/pause.ts";
import type { Change, Registry } from "../registries/registry.ts";

/**
 * Tells what changes in a registry, for as long as `signal` lets it; where the registry stops telling, it is asked again, and what was
 * missed in between is told as "anything may have changed" (undefined).
 */
export async function followChanges(
  registry: Registry,
  tell: { change: (change: Change | undefined) => void; error: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      for await (const change of registry.changes(signal)) {
        attempt = 0;
        tell.change(change);
      }
    } catch (error) {
      if (!signal.aborted) tell.error(error);
    }
    await pause(backoff(attempt, { firstMs: 100, capMs: 5000 }), signal);
    if (!signal.aborted) tell.change(undefined);
  }
}
