/** Hands each event to every consumer; a slow one loses its oldest, so that memory is bounded. */
export class EventBroadcast<T> {
  readonly #consumers = new Set<{ queue: T[]; wake: () => void }>();
  readonly #limit: number;
  #ended = false;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  send(event: T): void {
    for (const consumer of this.#consumers) {
      consumer.queue.push(event);
      if (consumer.queue.length > this.#limit) consumer.queue.shift();
      consumer.wake();
    }
  }

  end(): void {
    this.#ended = true;
    for (const consumer of this.#consumers) consumer.wake();
  }

  /** Events from now on, until `signal` aborts or `end()`. */
  events(signal: AbortSignal): AsyncIterable<T> {
    const consumer: { queue: T[]; wake: () => void } = { queue: [], wake: () => {} };
    this.#consumers.add(consumer);
    const stop = () => consumer.wake();
    signal.addEventListener("abort", stop);
    const read = async function* (this: EventBroadcast<T>) {
      try {
        for (;;) {
          for (
            let event = consumer.queue.shift();
            event !== undefined && !signal.aborted;
            event = consumer.queue.shift()
          )
            yield event;
          if (signal.aborted || this.#ended) return;
          const { promise, resolve } = Promise.withResolvers<void>();
          consumer.wake = resolve;
          await promise;
        }
      } finally {
        signal.removeEventListener("abort", stop);
        this.#consumers.delete(consumer);
      }
    };
    return read.call(this);
  }
}
