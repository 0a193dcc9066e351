import { flag, headerLength, rcode, rrType } from "./dnsConstants.ts";
import { DnsError } from "./dnsError.ts";
import { readName, skipName } from "./names.ts";

/** What a client asks: one question, as it stood in its message. */
export interface Question {
  /** As written by the client, without the final dot; "" is the root. */
  name: string;
  type: number;
  class: number;
}

/** A readable query; `questionBytes` is echoed to the byte, so that 0x20-mixed case and odd labels come back as they were. */
export interface Query {
  id: number;
  flags: number;
  question: Question;
  questionBytes: Uint8Array;
  edns: Edns | undefined;
  /** Nothing in the message but the question and an EDNS record without options: its bytes after the id say all of it. */
  plain: boolean;
}

export interface Edns {
  payload: number;
  version: number;
  dnssecOk: boolean;
}

/** How a message that is no usable query is met: with silence, or with a bare header that has this rcode. */
export type Refusal = { refuse: "drop" } | { refuse: "answer"; id: number; flags: number; rcode: number };

/**
 * Reads a client's message; hostile bytes never throw.
 * Dropped: what is shorter than a header or is itself a response (answering those could make two servers talk for ever).
 */
export function parseQuery(message: Uint8Array): Query | Refusal {
  if (message.length < headerLength) return { refuse: "drop" };
  const id = u16(message, 0);
  const flags = u16(message, 2);
  if (flags & flag.QR) return { refuse: "drop" };
  const refused = (code: number): Refusal => ({ refuse: "answer", id, flags, rcode: code });
  if ((flags & 0x7800) !== 0) return refused(rcode.NOTIMP);
  if (u16(message, 4) !== 1) return refused(rcode.FORMERR);
  try {
    const { name, end } = readName(message, headerLength);
    if (end + 4 > message.length) return refused(rcode.FORMERR);
    const question = { name, type: u16(message, end), class: u16(message, end + 2) };
    const others = u16(message, 6) + u16(message, 8) + u16(message, 10);
    const edns = findOpt(message, end + 4, others);
    const plain = message.length === end + 4 + (others === 0 ? 0 : optLength) && (others === 0 || edns !== undefined);
    return { id, flags, question, questionBytes: message.slice(headerLength, end + 4), edns, plain };
  } catch (error) {
    if (error instanceof DnsError) return refused(rcode.FORMERR);
    throw error;
  }
}

/** An OPT record without options (RFC 6891 section 6.1.2). */
const optLength = 11;

function findOpt(message: Uint8Array, start: number, records: number): Edns | undefined {
  let at = start;
  let found: Edns | undefined;
  for (let i = 0; i < records; i++) {
    const fixed = skipName(message, at);
    if (fixed + 10 > message.length) throw new DnsError("malformed", "a record is cut off");
    const next = fixed + 10 + u16(message, fixed + 8);
    if (next > message.length) throw new DnsError("malformed", "a record's data is cut off");
    if (u16(message, fixed) === rrType.OPT) {
      if (found) throw new DnsError("malformed", "two OPT records");
      found = {
        payload: u16(message, fixed + 2),
        version: message[fixed + 5] ?? 0,
        dnssecOk: ((message[fixed + 6] ?? 0) & 0x80) !== 0,
      };
    }
    at = next;
  }
  return found;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
