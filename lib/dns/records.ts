import { isIPv4, isIPv6 } from "../runtime/ipAddress.ts";
import { rrType } from "./dnsConstants.ts";
import { DnsError } from "./dnsError.ts";

/** A record that we answer with ourselves. Names without the final dot; `ttl` in seconds. */
export type DnsRecord = { name: string; ttl: number } & (
  | { type: "A" | "AAAA"; address: string }
  | { type: "SRV"; priority: number; weight: number; port: number; target: string }
  | { type: "TXT"; text: readonly string[] }
  | { type: "PTR"; target: string }
  | ({ type: "SOA" } & SoaData)
);

/** RFC 1035 section 3.3.13; times in seconds. */
export interface SoaData {
  mname: string;
  rname: string;
  serial: number;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
}

export function typeNumber(record: DnsRecord): number {
  return rrType[record.type];
}

/**
 * The 4 or 16 bytes of an IP literal.
 * @throws {DnsError} bad_address
 *
 * @example
 * addressBytes("10.0.0.1"); // Uint8Array [10, 0, 0, 1]
 */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  if (!isIPv6(address) || address.includes("%")) throw new DnsError("bad_address", `not an IP address: "${address}"`);
  let text = address;
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (embedded) {
    const [a = 0, b = 0, c = 0, d = 0] = (embedded[2] ?? "").split(".").map(Number);
    text = `${embedded[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const words = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  const bytes = new Uint8Array(16);
  words.forEach((word, i) => {
    const value = Number.parseInt(word, 16);
    bytes[2 * i] = value >> 8;
    bytes[2 * i + 1] = value & 0xff;
  });
  return bytes;
}
