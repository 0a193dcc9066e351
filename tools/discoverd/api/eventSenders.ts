import type { WatchOptions } from "../../../lib/discovery/discovery.ts";
import type { Follower, Following } from "../../../lib/discovery/engine/follower.ts";
import { pushStream } from "../../../lib/runtime/pushStream.ts";
import { CrowdCollector } from "./crowdCollector.ts";
import { EventSender } from "./eventSender.ts";

/** The part of the engine that streams need. */
export interface Followed {
  follow(service: string | undefined, follower: Follower, options: Omit<WatchOptions, "signal">): Following;
}

export interface StreamOptions extends Omit<WatchOptions, "signal"> {
  /** Leaders with their fencing tokens. */
  withToken: boolean;
  /** A comment first, where no event comes at once, so that the head goes out. */
  hasOpening: boolean;
}

/** Silence after which a comment is sent; time that a client may leave its stream unread. */
const silenceMs = 30_000;
const lookMs = 5_000;

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no", // proxies that gather responses (nginx) would hold events back
};

/** All open streams, and the one clock that they share: comments into silence, and an end for who does not read. */
export class EventSenders {
  readonly #source: Followed;
  readonly #open = new Set<EventSender>();
  readonly #collector = new CrowdCollector();
  #clock: ReturnType<typeof setInterval> | undefined;

  /** `signal` ends all streams. */
  constructor(source: Followed, signal: AbortSignal | undefined) {
    this.#source = source;
    signal?.addEventListener("abort", () => {
      for (const sender of [...this.#open]) sender.end();
    });
  }

  response(service: string | undefined, { withToken, hasOpening, ...watch }: StreamOptions): Response {
    const sender = new EventSender({ withToken, hasOpening, now: performance.now(), ended: this.#ended });
    this.#open.add(sender);
    this.#collector.came();
    this.#clock ??= setInterval(() => this.#look(), lookMs);
    const body = pushStream(sender);
    sender.attach(this.#source.follow(service, sender, watch));
    return new Response(body, { headers });
  }

  readonly #ended = (sender: EventSender): void => {
    this.#open.delete(sender);
    if (this.#open.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  };

  #look(): void {
    const now = performance.now();
    for (const sender of this.#open) {
      if (sender.at === 0) sender.at = now;
      if (now - sender.at < silenceMs) continue;
      if (sender.isBlocked) sender.cut();
      else {
        sender.at = now;
        sender.keepAlive();
      }
    }
  }
}
