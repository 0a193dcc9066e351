const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** The reason of an abort by a signal. */
class StoppedError extends Error {
  override readonly name = "StoppedError";
  readonly code: keyof typeof codes;

  constructor(code: keyof typeof codes) {
    super(`stopped by ${code}`);
    this.code = code;
  }
}

/**
 * A signal that the first SIGINT or SIGTERM aborts; the second ends the process at once with 130 or 143. As PID 1 a
 * process gets only the signals that it handles: these two are then what stops the container.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(codes[name]);
      stop.abort(new StoppedError(name));
    });
  }
  return stop.signal;
}

/** The exit code of what a signal interrupted: 128 + its number. */
export function stopCode(signal: AbortSignal): number {
  return signal.reason instanceof StoppedError ? codes[signal.reason.code] : codes.SIGINT;
}
