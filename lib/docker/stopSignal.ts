/** Linux's numbers of the signals by which images ask to be stopped. */
const numbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ABRT: 6,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  TERM: 15,
  WINCH: 28,
  PWR: 30,
  RTMIN: 34,
};

/**
 * The number of a signal as the engine names it; undefined when it is none.
 *
 * @example
 * signalNumber("SIGRTMIN+3"); // 37
 */
export function signalNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const [, name = "", more = "0"] = /^(?:SIG)?([A-Z][A-Z0-9]*)(?:\+(\d{1,2}))?$/.exec(text.toUpperCase()) ?? [];
  const base = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  return base === undefined ? undefined : base + Number(more);
}

/** Whether a signal asks a container to end by itself: SIGTERM, SIGINT, or the one its image names. SIGKILL does not ask. */
export function asksToStop(signal: number, stopSignal = ""): boolean {
  if (signal === 9) return false;
  return signal === 15 || signal === 2 || signal === signalNumber(stopSignal);
}
