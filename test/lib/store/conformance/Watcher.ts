import type { Entry, Store, StoreEvent } from "../../../../lib/store/store.ts";
import { waitFor } from "../../../testbed/waitFor.ts";

/** What one watcher saw, and the state that follows from it. */
export class Watcher {
  readonly events: StoreEvent[] = [];
  readonly state = new Map<string, Entry>();
  rev = -1;
  ended = false;
  readonly #controller = new AbortController();
  readonly done: Promise<void>;

  constructor(store: Store, prefix: string, from?: number, slow?: () => Promise<void>) {
    this.done = this.#follow(store, prefix, from, slow);
  }

  stop(): void {
    this.#controller.abort();
  }

  /** Waits until it has seen everything up to a revision that wrote under its prefix. */
  async reach(rev: number, deadlineMs = 10_000): Promise<void> {
    await waitFor(() => this.rev >= rev, { what: `the watcher to reach ${rev} (is at ${this.rev})`, deadlineMs });
  }

  async #follow(store: Store, prefix: string, from: number | undefined, slow?: () => Promise<void>): Promise<void> {
    for await (const event of store.watch(prefix, from, this.#controller.signal)) {
      this.events.push(event);
      if (event.type === "put") this.state.set(event.entry.key, event.entry);
      if (event.type === "delete") this.state.delete(event.key);
      if (event.type === "progress") this.rev = event.rev;
      if (event.type === "reset") {
        this.state.clear();
        for (const entry of event.snapshot.entries) this.state.set(entry.key, entry);
        this.rev = event.snapshot.rev;
      }
      await slow?.();
    }
    this.ended = true;
  }
}
