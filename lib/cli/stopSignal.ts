const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * A signal that the first SIGINT or SIGTERM aborts; the second ends the process at once with 130 or 143. As PID 1 a
 * process gets only the signals that it handles: these two are then what stops the container.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(codes[name]);
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  return stop.signal;
}
