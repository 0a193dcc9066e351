import type { ContainersState } from "../../../lib/docker/containers.ts";
import type { Step } from "./planOf.ts";

/** How long from Docker's event to the write that it led to. */
export class Lag {
  /** The oldest event of each container that was not answered by a write, ms since the epoch. */
  readonly #eventAt = new Map<string, number>();

  /** A state that follows from an event. */
  saw({ changed, eventAt }: Pick<ContainersState, "changed" | "eventAt">): void {
    if (eventAt === undefined) return;
    for (const id of changed) if (!this.#eventAt.has(id)) this.#eventAt.set(id, eventAt);
  }

  /** A write is done: ms since the event behind it; undefined: there was none. */
  take({ entry }: Step): number | undefined {
    const at = this.#eventAt.get(entry.containerId);
    this.#eventAt.delete(entry.containerId);
    return at === undefined ? undefined : Math.max(0, Date.now() - at);
  }

  /** Nothing is left to be written: the events that are left led to no write. */
  clear(): void {
    this.#eventAt.clear();
  }
}
