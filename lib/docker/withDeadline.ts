import { DockerError } from "./dockerError.ts";

/**
 * Runs `work` with a signal that fires after `ms` or with `signal`, whichever is first, and leaves no timer and no listener.
 * `ms` Infinity: no time limit.
 *
 * @throws {DockerError} timeout or aborted; otherwise what `work` throws
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new DockerError("aborted", `${what}: stopped`));
  if (signal?.aborted) stop();
  // First of all: what it sends goes out while the rest is made ready.
  const working = work(controller.signal);
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  const late = () => controller.abort(new DockerError("timeout", `${what}: no answer within ${ms} ms`));
  const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(late, ms);
  try {
    return await working;
  } catch (error) {
    // Runtimes differ in what an aborted fetch throws; the reason that we gave is the one to tell.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
