/** A call to a registry that took too long; it may still have its effect. */
export class RegistryTimeout extends Error {
  override readonly name = "RegistryTimeout";
  readonly code = "registry_timeout";
}

/**
 * Runs `call` with a signal that aborts after `ms` or with `outer`; rejects then even if the call does not heed it.
 * @throws {RegistryTimeout} and what the call throws
 */
export async function within<T>(ms: number, outer: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  outer.throwIfAborted();
  const controller = new AbortController();
  // First of all: what it sends goes out while the rest is made ready.
  const called = call(controller.signal);
  const late = Promise.withResolvers<never>();
  const abort = () => {
    controller.abort(outer.reason);
    late.reject(outer.reason);
  };
  const timer = setTimeout(() => {
    const error = new RegistryTimeout(`no answer within ${ms} ms`);
    controller.abort(error);
    late.reject(error);
  }, ms);
  outer.addEventListener("abort", abort, { once: true });
  if (outer.aborted) abort();
  try {
    return await Promise.race([called, late.promise]);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", abort);
  }
}
