import type { Entry, Registry } from "../registries/registry.ts";
import { within } from "./within.ts";

/** Puts entries into maintenance, some at a time, for at most `ms`. False: not all of them. */
export async function maintainAll(
  registry: Registry,
  entries: readonly Entry[],
  limits: { ms: number; concurrency: number; callTimeoutMs: number },
  onError: (error: unknown) => void,
): Promise<boolean> {
  const left = [...entries];
  const late = AbortSignal.timeout(limits.ms);
  let all = true;
  const work = async () => {
    for (let entry = left.pop(); entry; entry = left.pop()) {
      const each = entry;
      await within(limits.callTimeoutMs, late, async (inner) => registry.maintain?.(each, inner)).catch((error) => {
        onError(error);
        all = false;
      });
    }
  };
  await Promise.all(Array.from({ length: limits.concurrency }, work));
  return all;
}
