import type { DiscoveryEvent } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";

interface SubscriptionOptions {
  /** Undefined: it is not known yet, and comes with `begin`. */
  initial: Iterator<DiscoveryEvent> | undefined;
  /** The event as this watcher sees it; undefined when it is not of its concern. */
  pass: (event: DiscoveryEvent) => DiscoveryEvent | undefined;
  limit: number;
  signal: AbortSignal;
  onEnd: (subscription: Subscription) => void;
}

type Result = IteratorResult<DiscoveryEvent, undefined>;

/**
 * One watcher: first the initial state (made while it is read, so it costs no queue whatever its size), then the events that
 * came since, from a bounded queue. A reader that lets the queue fill is cut with "slow_reader"; no other one waits for it.
 */
export class Subscription implements AsyncIterableIterator<DiscoveryEvent> {
  readonly #options: SubscriptionOptions;
  #initial: Iterator<DiscoveryEvent> | undefined;
  #queue: DiscoveryEvent[] = [];
  #head = 0;
  #ended = false;
  #error: DiscoveryError | undefined;
  #waiting: { resolve: (result: Result) => void; reject: (error: Error) => void } | undefined;
  readonly #abort = () => this.end();

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#initial = options.initial;
    if (options.signal.aborted) this.#ended = true;
    else options.signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** For a watch that began before anything was known: here is the initial state. */
  begin(initial: Iterator<DiscoveryEvent>): void {
    if (this.#ended) return;
    this.#initial = initial;
    const waiting = this.#waiting;
    const event = waiting && this.#take();
    if (!waiting || !event) return;
    this.#waiting = undefined;
    waiting.resolve({ value: event, done: false });
  }

  /** Called by the engine for every event that may be of interest. */
  push(told: DiscoveryEvent): void {
    const event = this.#ended ? undefined : this.#options.pass(told);
    if (!event) return;
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve({ value: event, done: false });
    } else if (this.#queue.length - this.#head >= this.#options.limit) {
      this.end(new DiscoveryError("slow_reader", "discoverd: channel send failed due to blocked receiver"));
    } else {
      this.#queue.push(event);
    }
  }

  /** Ends the watch: what was queued is dropped, and an error is thrown at the reader's next step. */
  end(error?: DiscoveryError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#initial = undefined;
    this.#queue = [];
    this.#head = 0;
    this.#options.signal.removeEventListener("abort", this.#abort);
    this.#options.onEnd(this);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting) return;
    this.#error = undefined;
    if (error) waiting.reject(error);
    else waiting.resolve({ value: undefined, done: true });
  }

  next(): Promise<Result> {
    const event = this.#take();
    if (event) return Promise.resolve({ value: event, done: false });
    if (this.#ended) {
      const error = this.#error;
      this.#error = undefined;
      return error ? Promise.reject(error) : Promise.resolve({ value: undefined, done: true });
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  return(): Promise<Result> {
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): DiscoveryEvent | undefined {
    while (this.#initial) {
      const step = this.#initial.next();
      if (step.done) {
        this.#initial = undefined;
        break;
      }
      const event = this.#options.pass(step.value);
      if (event) return event;
    }
    const event = this.#queue[this.#head];
    if (!event) return undefined;
    this.#head++;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }
}
