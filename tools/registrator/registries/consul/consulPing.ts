import { pause } from "../../../../lib/time/pause.ts";
import { type ConsulCall, ConsulError } from "./consulError.ts";

const noServices = new URLSearchParams({ filter: 'ID == ""' });
/** So often, and so many times in one ping, an agent is asked for the leader, in ms. */
const lookMs = 50;
const looks = 8;

/**
 * Whether an agent has come back. One that starts answers reads at once, but holds a write back until its servers have a leader, and
 * asks for that in ever longer pauses, while all other writes wait behind it: a write that comes too early is done up to a second later
 * than one that comes after. So a leader is waited for; but not for more than `patienceMs`: an agent whose servers are away
 * takes registrations all the same.
 *
 * @throws {ConsulError} it does not answer, or knows no leader yet
 */
export function consulPing(call: ConsulCall, patienceMs = 10_000): (signal: AbortSignal) => Promise<void> {
  let withoutLeaderSince: number | undefined;
  return async (signal) => {
    try {
      await call("GET", `/v1/agent/services?${noServices}`, signal);
    } catch (error) {
      withoutLeaderSince = undefined;
      throw error;
    }
    for (let look = 0; look < looks && !signal.aborted; look++) {
      if (look > 0) await pause(lookMs, signal);
      if (await knowsLeader(call, signal)) {
        withoutLeaderSince = undefined;
        return;
      }
      withoutLeaderSince ??= Date.now();
      if (Date.now() - withoutLeaderSince >= patienceMs) return;
    }
    throw new ConsulError(503, "the agent knows no leader yet");
  };
}

/** An agent without servers answers 500; one whose token may not ask is believed. */
async function knowsLeader(call: ConsulCall, signal: AbortSignal): Promise<boolean> {
  try {
    return (await call("GET", "/v1/status/leader", signal)).trim() !== '""';
  } catch (error) {
    if (error instanceof ConsulError) return error.status < 500;
    throw error;
  }
}
