import { EventBroadcast } from "../eventBroadcast.ts";

/** An event with the id to resume from. */
export interface NumberedEvent<T> {
  /** `RUN-NUMBER`; RUN is another one after each start of the process. */
  id: string;
  event: T;
}

/** Sent first to who resumes from where we cannot: events between may be missing. */
export interface EventGap {
  /** Where it goes on from. */
  id: string;
  gap: string;
}

/** The last events of a source, so that a reader who was away goes on where it was. */
export interface EventHistory<T> {
  /** From now on; with an id: what came after it, first. Until `signal` aborts or the source ends. */
  events(since: string | undefined, signal: AbortSignal): AsyncIterable<NumberedEvent<T> | EventGap>;
}

/**
 * Numbers the events of `source` and keeps the newest.
 *
 * @param limit how many are kept. Default 1024
 */
export function eventHistory<T>(source: AsyncIterable<T>, limit = 1024): EventHistory<T> {
  const run = Date.now().toString(36);
  const kept: NumberedEvent<T>[] = [];
  const broadcast = new EventBroadcast<NumberedEvent<T>>();
  let last = 0;
  const idOf = (number: number) => `${run}-${number}`;

  async function follow(): Promise<void> {
    for await (const event of source) {
      const numbered = { id: idOf(++last), event };
      kept.push(numbered);
      if (kept.length > limit) kept.shift();
      broadcast.send(numbered);
    }
    broadcast.end();
  }
  void follow();

  function missed(since: string): NumberedEvent<T>[] | undefined {
    if (!since.startsWith(`${run}-`)) return undefined;
    const text = since.slice(run.length + 1);
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(number <= last && number >= last - kept.length)) return undefined;
    return kept.slice(kept.length - (last - number));
  }

  return {
    async *events(since, signal) {
      // Before what is kept is read: nothing falls between.
      const coming = broadcast.events(signal);
      if (since !== undefined) {
        const before = missed(since);
        if (before) yield* before;
        else yield { id: idOf(last), gap: "what came after this id is no longer known; GET /services tells what is" };
      }
      yield* coming;
    },
  };
}
