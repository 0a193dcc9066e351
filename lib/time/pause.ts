/**
 * Resolves after `ms`, or at once when `signal` aborts: who waits looks at the signal itself.
 *
 * @example
 * while (!signal.aborted) {
 *   await look();
 *   await pause(1000, signal);
 * }
 */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
