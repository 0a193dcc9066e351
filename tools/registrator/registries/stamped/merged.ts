/** What several sources yield, as it comes, until one fails or `signal` aborts. Bounded: a source waits until its item was taken. */
export async function* merged<T>(
  sources: readonly ((signal: AbortSignal) => AsyncIterable<T>)[],
  signal: AbortSignal,
): AsyncGenerator<T> {
  const over = new AbortController();
  const end = () => over.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  const readers = sources.map((source) => source(over.signal)[Symbol.asyncIterator]());
  const next = new Map(readers.map((reader, i) => [i, step(i, reader)]));
  try {
    while (next.size > 0 && !signal.aborted) {
      const { i, reader, result } = await Promise.race(next.values());
      if (result.done) {
        next.delete(i);
        continue;
      }
      yield result.value;
      next.set(i, step(i, reader));
    }
  } finally {
    signal.removeEventListener("abort", end);
    over.abort(new Error("nobody listens any more"));
    // They end by the signal; what they still say is of no interest.
    for (const promise of next.values()) promise.catch(() => {});
  }
}

async function step<T>(i: number, reader: AsyncIterator<T>) {
  return { i, reader, result: await reader.next() };
}
