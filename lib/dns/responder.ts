import { AnswerCache } from "./answerCache.ts";
import { dnsClass, rcode } from "./dnsConstants.ts";
import { encodeRefusal, encodeResponse, responseLimit } from "./encodeResponse.ts";
import type { Forwarder } from "./forwarder.ts";
import { parseQuery } from "./query.ts";
import { relayReply } from "./upstreamReply.ts";
import { findZone, type QuestionContext, type Zone, type ZoneAnswer } from "./zone.ts";

export interface ResponderOptions {
  zones: readonly Zone[];
  /** Where names that are in none of our zones go; without it they are REFUSED. */
  forwarder?: Forwarder;
  /** Told of each question that ended in SERVFAIL. */
  onFailure?: (name: string, error: unknown) => void;
  /** For answers that zones let us keep. Default 8 MiB: A and SRV of a thousand services of three instances; 0 keeps none. */
  cacheBytes?: number;
}

/** From a message to the message that answers it; undefined: stay silent. Never throws or rejects. */
export interface Responder {
  (message: Uint8Array, context: QuestionContext): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /**
   * The reply that is kept for the UDP message in `bytes` from `start` to `end`: itself, with an id of its own (copy it, and set the
   * id). Undefined: none is; the message has to be answered as above.
   */
  kept?(bytes: Uint8Array, start: number, end: number, context: QuestionContext): Uint8Array | undefined;
}

/**
 * The server without its sockets. Zones that answer at once are answered at once: no promise is made for them. Answers that
 * say how long they are fresh are kept as bytes, so that the same question costs a look-up and a copy.
 *
 * @example
 * const respond = createResponder({ zones: [zone] });
 * const reply = await respond(message, { clientAddress: "127.0.0.1", transport: "udp" });
 */
export function createResponder(options: ResponderOptions): Responder {
  const { zones, forwarder, onFailure } = options;
  const kept = new AnswerCache(options.cacheBytes ?? 8 << 20);
  const recursionAvailable = forwarder !== undefined;

  const respond: Responder = (message, context) => {
    const known = context.transport === "udp" ? kept.get(message, 0, message.length, context) : undefined;
    return known ? withId(known, message) : answer(message, context);
  };
  respond.kept = (bytes, start, end, context) => kept.get(bytes, start, end, context);
  return respond;

  function answer(message: Uint8Array, context: QuestionContext): ReturnType<Responder> {
    const query = parseQuery(message);
    if ("refuse" in query) {
      return query.refuse === "drop" ? undefined : encodeRefusal(query.id, query.flags, query.rcode);
    }
    const limit = responseLimit(query, context.transport);
    const bare = (code: number) =>
      encodeResponse(query, { rcode: code, authoritative: false, recursionAvailable }, limit);
    const failed = (error: unknown) => {
      onFailure?.(query.question.name, error);
      return bare(rcode.SERVFAIL);
    };
    const elsewhere = () => {
      if (!forwarder || !inClass) return bare(rcode.REFUSED);
      return forwarder
        .resolve(query)
        .then(({ reply, age }) => relayReply(reply, query, age, limit))
        .catch(failed);
    };
    const ours = (found: ZoneAnswer | undefined) => {
      if (!found) return elsewhere();
      const reply = encodeResponse(query, { ...found, authoritative: true, recursionAvailable }, limit);
      if (found.fresh && query.plain && context.transport === "udp") {
        // A copy: the reply lies in a buffer with room to spare.
        kept.put(message, reply.slice(), found.fresh, found.answers.length > 1);
      }
      return reply;
    };

    if (query.edns && query.edns.version > 0) return bare(rcode.BADVERS);
    const inClass = query.question.class === dnsClass.IN || query.question.class === dnsClass.ANY;
    const zone = inClass ? findZone(zones, query.question.name) : undefined;
    try {
      if (!zone) return elsewhere();
      const found = zone.answer(query.question, context);
      return found instanceof Promise ? found.then(ours).catch(failed) : ours(found);
    } catch (error) {
      return failed(error);
    }
  }
}

function withId(reply: Uint8Array, message: Uint8Array): Uint8Array {
  const copy = new Uint8Array(reply);
  copy[0] = message[0] ?? 0;
  copy[1] = message[1] ?? 0;
  return copy;
}
