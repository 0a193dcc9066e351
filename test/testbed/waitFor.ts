/** What {@link waitFor} waits for, and how long. */
export interface WaitOptions {
  /** What is awaited, in words: it becomes the error's text. A function is asked when the time is over: it can tell how things stand. */
  what: string | (() => string);
  /** Default 10000 ms. */
  deadlineMs?: number;
  /** The first pause between two looks; it grows by half each time up to 250 ms (or this, when larger). Default 10 ms. */
  intervalMs?: number;
  /** Ends the wait at once with the signal's reason. */
  signal?: AbortSignal;
}

/** The state did not come in time; `cause` is the last error that the condition threw, if any. */
export class WaitTimeout extends Error {
  override readonly name = "WaitTimeout";
  readonly code = "wait_timeout";
}

/** Thrown by a condition that can no longer come true: {@link waitFor} rethrows it at once instead of going on. */
export class GiveUp extends Error {
  override readonly name: string = "GiveUp";
  readonly code: string = "give_up";
}

/**
 * Calls `condition` until it returns something other than `undefined`, `null` or `false`, and returns that.
 * An error thrown by the condition means "not yet", and the last one is told when the deadline passes;
 * a condition that hangs is overtaken by the deadline too.
 *
 * @throws {WaitTimeout} with `what` and the last error.
 * @example
 * const id = await waitFor(() => services.get("web")?.id, { what: "web to be registered", deadlineMs: 5000 });
 */
export async function waitFor<T>(
  condition: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  options: WaitOptions,
): Promise<T> {
  const { what, deadlineMs = 10_000, intervalMs = 10, signal } = options;
  const started = performance.now();
  const left = () => deadlineMs - (performance.now() - started);
  let pause = intervalMs;
  let lastError: unknown;
  let looks = 0;

  for (;;) {
    signal?.throwIfAborted();
    looks++;
    try {
      const value = await withDeadline(condition(), Math.max(left(), 1));
      if (value !== overdue && value !== undefined && value !== null && value !== false) return value;
      if (value === overdue) lastError = new Error("the last look at the condition did not return");
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      lastError = error;
    }
    if (left() <= 0) {
      const why = lastError === undefined ? "" : `; last error: ${message(lastError)}`;
      const text = typeof what === "string" ? what : what();
      throw new WaitTimeout(`waited ${deadlineMs} ms for ${text} (${looks} looks)${why}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(pause, Math.max(left(), 1))));
    pause = Math.min(pause * 1.5, Math.max(250, intervalMs));
  }
}

const overdue = Symbol("overdue");

/** The promise's value, or `overdue` after `ms`; a late rejection is swallowed, since nobody is left to hear it. */
async function withDeadline<T>(promise: T | Promise<T>, ms: number): Promise<T | typeof overdue> {
  if (!(promise instanceof Promise)) return promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof overdue>((resolve) => {
    timer = setTimeout(() => resolve(overdue), ms);
  });
  promise.catch(() => {}); // a rejection after the deadline has no listener any more
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
