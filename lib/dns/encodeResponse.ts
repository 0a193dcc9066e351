import { flag, headerLength, rrType } from "./dnsConstants.ts";
import { MessageWriter } from "./messageWriter.ts";
import type { Query } from "./query.ts";
import type { DnsRecord } from "./records.ts";

/** The payload size that we tell clients (DNS flag day 2020: never fragmented in practice). */
export const ourPayload = 1232;

export interface ResponseParts {
  rcode: number;
  authoritative: boolean;
  recursionAvailable: boolean;
  answers?: readonly DnsRecord[];
  authority?: readonly DnsRecord[];
  additionals?: readonly DnsRecord[];
}

/** How many bytes a client takes: 512 on plain UDP, its EDNS size up to ours, 65,535 on TCP. */
export function responseLimit(query: Query, transport: "udp" | "tcp"): number {
  if (transport === "tcp") return 65_535;
  return query.edns ? Math.min(Math.max(query.edns.payload, 512), ourPayload) : 512;
}

/**
 * A response of at most `limit` bytes: as many whole records as fit. TC is set when an answer or authority record was left
 * out; additionals go first and silently (RFC 2181 section 9). Answers with a name or address that cannot be written are left out.
 */
export function encodeResponse(query: Query, parts: ResponseParts, limit: number): Uint8Array {
  const writer = new MessageWriter(limit - (query.edns ? 11 : 0));
  writer.raw(new Uint8Array(headerLength));
  writer.raw(query.questionBytes);
  writer.remember(query.question.name, headerLength);

  const answers = writeAll(writer, parts.answers);
  const authority = answers.whole ? writeAll(writer, parts.authority) : { count: 0, whole: false };
  const additionals = authority.whole ? writeAll(writer, parts.additionals) : { count: 0, whole: false };
  if (query.edns) writeOpt(writer, query, parts.rcode);

  const bytes = writer.bytes();
  const flags =
    flag.QR |
    (query.flags & (flag.RD | flag.CD)) |
    (parts.authoritative ? flag.AA : 0) |
    (parts.recursionAvailable ? flag.RA : 0) |
    (answers.whole && authority.whole ? 0 : flag.TC) |
    (parts.rcode & 0xf);
  const words = [query.id, flags, 1, answers.count, authority.count, additionals.count + (query.edns ? 1 : 0)];
  words.forEach((word, i) => {
    bytes[2 * i] = word >> 8;
    bytes[2 * i + 1] = word & 0xff;
  });
  return bytes;
}

/** A header alone, for a message whose question could not be read. */
export function encodeRefusal(id: number, flags: number, code: number): Uint8Array {
  const word = flag.QR | (flags & (0x7800 | flag.RD)) | code;
  return Uint8Array.of(id >> 8, id & 0xff, word >> 8, word & 0xff, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** Our OPT (RFC 6891 section 6.1): our payload size, the rcode's upper bits, version 0, the client's DO bit. */
export function writeOpt(writer: MessageWriter, query: Query, code: number): void {
  writer.u8(0);
  writer.u16(rrType.OPT);
  writer.u16(ourPayload);
  writer.u8(code >> 4);
  writer.u8(0);
  writer.u16(query.edns?.dnssecOk ? 0x8000 : 0);
  writer.u16(0);
}

function writeAll(writer: MessageWriter, records: readonly DnsRecord[] = []): { count: number; whole: boolean } {
  let count = 0;
  for (const record of records) {
    if (!writer.record(record)) return { count, whole: false };
    count++;
  }
  return { count, whole: true };
}
