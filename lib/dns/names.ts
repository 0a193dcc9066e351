import { DnsError } from "./dnsError.ts";

const maxLabel = 63;
const maxName = 255;
const decoder = new TextDecoder("latin1");

/**
 * Reads a name at `offset` (RFC 1035 section 4.1.4): lower and upper case are kept, the final dot is left out, the root is "".
 * Bytes outside ASCII come as Latin-1 letters, a dot inside a label as `\.`, so that no two names read alike.
 * Pointers may only point backwards, so the walk always ends.
 * @returns the name and the offset after it.
 * @throws {DnsError} malformed
 */
export function readName(message: Uint8Array, offset: number): { name: string; end: number } {
  const labels: string[] = [];
  let end = -1;
  let at = offset;
  let lowest = offset;
  let length = 1;
  for (;;) {
    const size = message[at];
    if (size === undefined) throw new DnsError("malformed", "a name runs past the end of the message");
    if (size === 0) {
      if (end < 0) end = at + 1;
      return { name: labels.join("."), end };
    }
    if (size >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) throw new DnsError("malformed", "a name's pointer is cut off");
      const target = ((size & 0x3f) << 8) | low;
      if (target >= lowest) throw new DnsError("malformed", "a name's pointer does not point backwards");
      if (end < 0) end = at + 2;
      lowest = target;
      at = target;
      continue;
    }
    if (size > maxLabel) throw new DnsError("malformed", "a label of an unknown kind");
    length += size + 1;
    if (length > maxName) throw new DnsError("malformed", "a name longer than 255 bytes");
    if (at + 1 + size > message.length) throw new DnsError("malformed", "a label runs past the end of the message");
    labels.push(
      decoder
        .decode(message.subarray(at + 1, at + 1 + size))
        .replaceAll("\\", "\\\\")
        .replaceAll(".", "\\."),
    );
    at += 1 + size;
  }
}

/** The offset after the name at `offset`, without following pointers. @throws {DnsError} malformed */
export function skipName(message: Uint8Array, offset: number): number {
  let at = offset;
  for (;;) {
    const size = message[at];
    if (size === undefined) throw new DnsError("malformed", "a name runs past the end of the message");
    if (size === 0) return at + 1;
    if (size >= 0xc0) {
      if (at + 1 >= message.length) throw new DnsError("malformed", "a name's pointer is cut off");
      return at + 2;
    }
    if (size > maxLabel) throw new DnsError("malformed", "a label of an unknown kind");
    at += 1 + size;
    if (at - offset > maxName) throw new DnsError("malformed", "a name longer than 255 bytes");
  }
}

/** Splits at the dots that are not escaped; "" has no labels. */
export function labelsOf(name: string): string[] {
  const trimmed = name.endsWith(".") && !name.endsWith("\\.") ? name.slice(0, -1) : name;
  if (trimmed === "") return [];
  if (!trimmed.includes("\\")) return trimmed.split(".");
  return trimmed.match(/(?:\\.|[^.\\])+/gs) ?? [];
}

/** One label's bytes. @throws {DnsError} bad_name: empty, or longer than 63 bytes */
export function encodeLabel(label: string): Uint8Array {
  const plain = label.includes("\\") ? label.replace(/\\(.)/gs, "$1") : label;
  if (plain.length === 0 || plain.length > maxLabel)
    throw new DnsError("bad_name", `bad label "${label.slice(0, 80)}"`);
  const bytes = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) bytes[i] = plain.charCodeAt(i) & 0xff;
  return bytes;
}
