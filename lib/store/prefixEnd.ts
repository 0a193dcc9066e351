const encoder = new TextEncoder();

/**
 * The first byte string after everything that begins with the prefix, in byte order. UTF-8 never holds 0xff, so
 * adding one to the last byte always works; for "" (everything) it is 0xff.
 */
export function prefixEnd(prefix: string): Uint8Array {
  const bytes = encoder.encode(prefix);
  if (bytes.length === 0) return Uint8Array.of(0xff);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1;
  return bytes;
}
