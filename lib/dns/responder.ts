import { dnsClass, rcode } from "./dnsConstants.ts";
import { encodeRefusal, encodeResponse, responseLimit } from "./encodeResponse.ts";
import type { Forwarder } from "./forwarder.ts";
import { parseQuery } from "./query.ts";
import { relayReply } from "./upstreamReply.ts";
import { findZone, type QuestionContext, type Zone } from "./zone.ts";

export interface ResponderOptions {
  zones: readonly Zone[];
  /** Where names that are in none of our zones go; without it they are REFUSED. */
  forwarder?: Forwarder;
  /** Told of each question that ended in SERVFAIL. */
  onFailure?: (name: string, error: unknown) => void;
}

/** From a message to the message that answers it; undefined: stay silent. Never throws or rejects. */
export type Responder = (
  message: Uint8Array,
  context: QuestionContext,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/**
 * The server without its sockets. Zones that answer at once are answered at once: no promise is made for them.
 *
 * @example
 * const respond = createResponder({ zones: [zone] });
 * const reply = await respond(message, { clientAddress: "127.0.0.1", transport: "udp" });
 */
export function createResponder({ zones, forwarder, onFailure }: ResponderOptions): Responder {
  return (message, context) => {
    const query = parseQuery(message);
    if ("refuse" in query) {
      return query.refuse === "drop" ? undefined : encodeRefusal(query.id, query.flags, query.rcode);
    }
    const limit = responseLimit(query, context.transport);
    const bare = (code: number, authoritative = false) =>
      encodeResponse(query, { rcode: code, authoritative, recursionAvailable: forwarder !== undefined }, limit);
    const failed = (error: unknown) => {
      onFailure?.(query.question.name, error);
      return bare(rcode.SERVFAIL);
    };

    if (query.edns && query.edns.version > 0) return bare(rcode.BADVERS);
    const inClass = query.question.class === dnsClass.IN || query.question.class === dnsClass.ANY;
    const zone = inClass ? findZone(zones, query.question.name) : undefined;
    try {
      if (zone) {
        const parts = (answer: Awaited<ReturnType<Zone["answer"]>>): Uint8Array =>
          encodeResponse(query, { ...answer, authoritative: true, recursionAvailable: forwarder !== undefined }, limit);
        const answer = zone.answer(query.question, context);
        return answer instanceof Promise ? answer.then(parts).catch(failed) : parts(answer);
      }
      if (!forwarder || !inClass) return bare(rcode.REFUSED);
      return forwarder
        .resolve(query)
        .then(({ reply, age }) => relayReply(reply, query, age, limit))
        .catch(failed);
    } catch (error) {
      return failed(error);
    }
  };
}
