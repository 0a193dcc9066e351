import { flag, headerLength, rcode, rrType } from "./dnsConstants.ts";
import { DnsError } from "./dnsError.ts";
import { ourPayload } from "./encodeResponse.ts";
import { skipName } from "./names.ts";
import type { Query } from "./query.ts";

/** Another server's reply, kept as its bytes: records of types that we do not know stay whole. */
export interface UpstreamReply {
  bytes: Uint8Array;
  flags: number;
  rcode: number;
  /** Where the question ends. */
  bodyStart: number;
  /** The records before any OPT, in order; name pointers in them only point backwards, so any prefix of them can be kept. */
  records: readonly { section: 0 | 1 | 2; ttlAt: number; ttl: number; end: number }[];
  /** How long it may be kept, in seconds; 0: not at all. */
  cacheFor: number;
}

const maxPositive = 3600;
const maxNegative = 300;

/**
 * Reads the reply to `query`, asked with `id`. The id and the question must be the ones asked (RFC 5452 section 9.1).
 * @throws {DnsError} bad_reply, malformed
 */
export function parseReply(bytes: Uint8Array, id: number, query: Query): UpstreamReply {
  const bodyStart = headerLength + query.questionBytes.length;
  if (bytes.length < bodyStart) throw new DnsError("bad_reply", "the reply is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || !(flags & flag.QR)) throw new DnsError("bad_reply", "the reply has another id");
  if (view.getUint16(4) !== 1 || !sameQuestion(bytes.subarray(headerLength, bodyStart), query.questionBytes)) {
    throw new DnsError("bad_reply", "the reply has another question");
  }
  const records: { section: 0 | 1 | 2; ttlAt: number; ttl: number; end: number }[] = [];
  let at = bodyStart;
  let answerTtl = maxPositive;
  let negativeTtl = 0;
  for (const section of [0, 1, 2] as const) {
    for (let left = view.getUint16(6 + 2 * section); left > 0; left--) {
      const fixed = skipName(bytes, at);
      if (fixed + 10 > bytes.length) throw new DnsError("malformed", "a record is cut off");
      const end = fixed + 10 + view.getUint16(fixed + 8);
      if (end > bytes.length) throw new DnsError("malformed", "a record's data is cut off");
      const type = view.getUint16(fixed);
      if (type === rrType.OPT) return finish();
      const ttl = view.getUint32(fixed + 4);
      records.push({ section, ttlAt: fixed + 4, ttl, end });
      if (section < 2) answerTtl = Math.min(answerTtl, ttl);
      // RFC 2308 section 5: a negative answer lives for the smaller of the SOA's TTL and its minimum field.
      if (section === 1 && type === rrType.SOA) negativeTtl = Math.min(ttl, view.getUint32(end - 4), maxNegative);
      at = end;
    }
  }
  return finish();

  function finish(): UpstreamReply {
    const code = flags & 0xf;
    const found = records.some((record) => record.section === 0);
    let cacheFor = 0;
    if (!(flags & flag.TC)) {
      if (code === rcode.NOERROR && found) cacheFor = answerTtl;
      else if (code === rcode.NOERROR || code === rcode.NXDOMAIN) cacheFor = negativeTtl;
    }
    return { bytes, flags, rcode: code, bodyStart, records, cacheFor };
  }
}

/** The reply as the client shall see it: its own id, question and EDNS, TTLs less `age` seconds, at most `limit` bytes. */
export function relayReply(reply: UpstreamReply, query: Query, age: number, limit: number): Uint8Array {
  const optLength = query.edns ? 11 : 0;
  const counts = [0, 0, 0];
  let end = reply.bodyStart;
  let truncated = false;
  for (const record of reply.records) {
    if (record.end + optLength > limit) {
      truncated = record.section < 2;
      break;
    }
    counts[record.section] = (counts[record.section] ?? 0) + 1;
    end = record.end;
  }
  const out = new Uint8Array(end + optLength);
  const view = new DataView(out.buffer);
  out.set(reply.bytes.subarray(0, end));
  out.set(query.questionBytes, headerLength);
  for (const record of reply.records) {
    if (record.end <= end) view.setUint32(record.ttlAt, Math.max(0, record.ttl - age));
  }
  const kept = reply.flags & (flag.AD | flag.TC);
  view.setUint16(0, query.id);
  view.setUint16(
    2,
    flag.QR | flag.RA | (query.flags & (flag.RD | flag.CD)) | kept | (truncated ? flag.TC : 0) | reply.rcode,
  );
  view.setUint16(4, 1);
  view.setUint16(6, counts[0] ?? 0);
  view.setUint16(8, counts[1] ?? 0);
  view.setUint16(10, (counts[2] ?? 0) + (query.edns ? 1 : 0));
  if (query.edns) out.set(optRecord(query.edns.dnssecOk), end);
  return out;
}

/** The query as we send it on: a fresh id, recursion desired, our EDNS size. */
export function upstreamQuery(query: Query, id: number): Uint8Array {
  const opt = optRecord(query.edns?.dnssecOk ?? false);
  const out = new Uint8Array(headerLength + query.questionBytes.length + opt.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, id);
  view.setUint16(2, flag.RD | (query.flags & (flag.CD | flag.AD)));
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  out.set(query.questionBytes, headerLength);
  out.set(opt, headerLength + query.questionBytes.length);
  return out;
}

function optRecord(dnssecOk: boolean): Uint8Array {
  return Uint8Array.of(0, 0, rrType.OPT, ourPayload >> 8, ourPayload & 0xff, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0);
}

/** Letters may differ in case: some servers give the question back in lower case. */
function sameQuestion(a: Uint8Array, b: Uint8Array): boolean {
  const type = b.length - 4;
  return a.every((byte, i) => {
    const other = b[i] ?? 0;
    return (
      byte === other ||
      (i < type && byte >> 6 === 1 && (byte ^ other) === 0x20 && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a)
    );
  });
}
