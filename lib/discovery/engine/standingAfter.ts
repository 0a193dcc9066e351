import type { Instance, StateChange } from "../discovery.ts";
import { DiscoveryError } from "../discoveryError.ts";
import { isUsable } from "../matches.ts";
import { type Hand, handOf, type Standing } from "./storedValues.ts";

/**
 * What is kept after a hand moved; undefined when that changes nothing. An instance that becomes usable again may lead only from
 * this write on (`since: 0`), so that later leaders have greater tokens.
 * @throws {DiscoveryError} validation_error for a state that is not the checks' to say.
 */
export function standingAfter(before: Standing | undefined, change: StateChange): Standing | undefined {
  const { state, reason, by = "operator" } = change;
  if (by === "check" && (state === "draining" || state === "maintenance")) {
    throw new DiscoveryError("validation_error", `discoverd: ${state} is the operator's to say, not a check's`);
  }
  const hand: Hand | undefined = state === "up" ? undefined : { state, ...(reason ? { reason } : {}) };
  const known = before?.[by];
  if (known?.state === hand?.state && known?.reason === hand?.reason) return undefined;
  const after: Standing = { ...before };
  if (hand) after[by] = hand;
  else delete after[by];
  if (!isUsable(shown(before)) && isUsable(shown(after))) after.since = 0;
  return after;
}

/** A registration's own word counts while it is new: as the checks' where they could have said it. */
export function firstStanding({ state, reason }: Instance): Standing | undefined {
  if (state === undefined || state === "up") return undefined;
  const hand: Hand = { state, ...(reason ? { reason } : {}) };
  return state === "warning" || state === "down" ? { check: hand } : { operator: hand };
}

function shown(standing: Standing | undefined): Instance {
  const hand = handOf(standing);
  return { id: "", addr: "", proto: "", ...(hand ? { state: hand.state } : {}) };
}
