import { runtime } from "./runtime.ts";

/** Asks the runtime to collect garbage and to hand memory back, beside the work that goes on; does nothing where that cannot be asked. */
export function collectGarbage(): void {
  if (runtime === "bun") Bun.gc(false);
}
