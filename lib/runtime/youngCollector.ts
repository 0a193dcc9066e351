import { runtime } from "./runtime.ts";

/** A function that collects what was allocated since the last collection, in about a millisecond. It does nothing where that cannot be asked. */
export async function youngCollector(): Promise<() => void> {
  if (runtime !== "bun") return () => undefined;
  const { edenGC } = await import("bun:jsc");
  return () => void edenGC();
}
