import { isIPv4, isIPv6 } from "../../../lib/runtime/ipAddress.ts";

/** A range of addresses: 10.0.0.0/8, fd00::/8. */
export interface Subnet {
  /** 4 or 16 bytes. */
  bytes: readonly number[];
  prefix: number;
}

/** undefined when it is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = "", length = "", ...more] = text.split("/");
  const bytes = bytesOf(address);
  if (!bytes || more.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return undefined;
  return { bytes, prefix: Number(length) };
}

/**
 * Whether an address lies in it; false for what is no address.
 *
 * @example
 * isInSubnet("10.1.2.3", { bytes: [10, 0, 0, 0], prefix: 8 }); // true
 */
export function isInSubnet(ip: string, { bytes, prefix }: Subnet): boolean {
  const own = bytesOf(ip);
  if (own?.length !== bytes.length) return false;
  return own.every((byte, i) => {
    const bits = Math.min(8, Math.max(0, prefix - i * 8));
    const mask = (0xff00 >> bits) & 0xff;
    return ((byte ^ (bytes[i] ?? 0)) & mask) === 0;
  });
}

function bytesOf(ip: string): number[] | undefined {
  if (isIPv4(ip)) return ip.split(".").map(Number);
  if (!isIPv6(ip) || ip.includes("%")) return undefined;
  // The URL parser writes any IPv6 address in groups of hex digits, "::" at most once.
  const [head = "", tail] = new URL(`http://[${ip}]/`).hostname.slice(1, -1).split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}
