import { pause } from "../../time/pause.ts";

/** Time as the engine needs it: monotonic (a step of the machine's clock may expire nobody). */
export interface Clock {
  /** Milliseconds since some start. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const monotonicClock: Clock = {
  now: () => performance.now(),
  sleep: pause,
};
