import type { SessionState, WatchEvent } from "../../../../lib/zookeeper/index.ts";

/** Events that wait; more are one: everything may have changed. */
const maxWaiting = 2000;

/** What a session tells, for whoever asks next. */
export class SessionWatch {
  /** The session that our ephemeral znodes have; undefined: there is none now. */
  sessionId: string | undefined;
  #waiting: (WatchEvent | "connected")[] = [];
  #wake = () => {};

  state(state: SessionState): void {
    if (state.state === "connected") {
      this.sessionId = state.sessionId;
      this.#add("connected");
    } else if (state.state !== "disconnected") this.sessionId = undefined;
  }

  event(event: WatchEvent): void {
    this.#add(event);
  }

  /** Until `signal` aborts. "connected": watches are to be added again, and anything may have changed. One reader at a time. */
  async *news(signal: AbortSignal): AsyncGenerator<WatchEvent | "connected"> {
    const stop = () => this.#wake();
    signal.addEventListener("abort", stop, { once: true });
    this.#waiting = this.sessionId === undefined ? [] : ["connected"];
    try {
      while (!signal.aborted) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          yield next;
          continue;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #add(each: WatchEvent | "connected"): void {
    if (this.#waiting.length >= maxWaiting) this.#waiting = ["connected"];
    else this.#waiting.push(each);
    this.#wake();
  }
}
