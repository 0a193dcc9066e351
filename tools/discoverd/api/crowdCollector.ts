import { collectGarbage } from "../../../lib/runtime/collectGarbage.ts";

/** Newcomers between two collections. */
const lot = 1000;
/** Collections may take this share of the time. */
const share = 0.1;

/**
 * Collects garbage now and then while many streams come at once: what each request leaves behind would lie between the things that
 * stay, and keep whole blocks of memory from being used again or handed back.
 */
export class CrowdCollector {
  #newcomers = 0;
  #notBefore = 0;

  /** A stream was opened. */
  came(): void {
    if (++this.#newcomers < lot || performance.now() < this.#notBefore) return;
    this.#newcomers = 0;
    setImmediate(() => {
      const from = performance.now();
      collectGarbage();
      const now = performance.now();
      this.#notBefore = now + (now - from) / share;
    });
  }
}
