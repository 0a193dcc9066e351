import { labelsOf } from "./names.ts";
import type { Question } from "./query.ts";
import type { DnsRecord } from "./records.ts";

/** Answers for one part of the name space. */
export interface Zone {
  /** Lower-case, without the final dot: "discoverd". The server asks the zone with the longest matching origin. */
  readonly origin: string;
  /**
   * May throw or reject: the client gets SERVFAIL. Names in the answer echo the question's case. Undefined: this name is not ours
   * after all, and goes where names of no zone go.
   */
  answer(question: Question, context: QuestionContext): ZoneAnswer | undefined | Promise<ZoneAnswer | undefined>;
}

export interface QuestionContext {
  clientAddress: string;
  transport: "udp" | "tcp";
}

export interface ZoneAnswer {
  /** One of `rcode`. */
  rcode: number;
  answers: DnsRecord[];
  authority: DnsRecord[];
  additionals: DnsRecord[];
  /**
   * While it says true for an asker, the same bytes answer the same question again (for a while, and then in another order).
   * Absent: the answer is for this question alone. Called for every question: cheap, and without effects.
   */
  fresh?: (context: QuestionContext) => boolean;
}

/**
 * The zone with the longest origin that `name` is in; undefined when none has it.
 *
 * @example
 * findZone([discoverd], "Web.DISCOVERD"); // discoverd
 */
export function findZone(zones: readonly Zone[], name: string): Zone | undefined {
  const labels = labelsOf(name.toLowerCase());
  let best: Zone | undefined;
  for (const zone of zones) {
    const origin = labelsOf(zone.origin);
    const inside = origin.length > 0 && labels.slice(-origin.length).join("\0") === origin.join("\0");
    if (inside && (!best || zone.origin.length > best.origin.length)) best = zone;
  }
  return best;
}
