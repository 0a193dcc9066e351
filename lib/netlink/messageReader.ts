import { headerBytes } from "./messageWriter.ts";

/** One received message. `body` begins after struct nlmsghdr, without nfgenmsg being skipped. */
export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  body: Uint8Array;
}

/** Types below 16 are netlink's own. */
export const messageType = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

/**
 * The messages in one datagram. A header that claims more than there is ends the list: the kernel does not send such.
 */
export function readMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = viewOf(datagram);
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset + headerBytes <= datagram.length; ) {
    const length = view.getUint32(offset, true);
    if (length < headerBytes || offset + length > datagram.length) break;
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      body: datagram.subarray(offset + headerBytes, offset + length),
    });
    offset += (length + 3) & ~3;
  }
  return messages;
}

/** The value of each attribute by type (the last one of a type), the nested and byte-order flags taken off. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  return new Map(listAttributes(bytes));
}

/** All attributes in order, for lists in which a type is repeated. */
export function listAttributes(bytes: Uint8Array): [type: number, value: Uint8Array][] {
  const view = viewOf(bytes);
  const attributes: [number, Uint8Array][] = [];
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = view.getUint16(offset, true);
    if (length < 4 || offset + length > bytes.length) break;
    attributes.push([view.getUint16(offset + 2, true) & 0x3fff, bytes.subarray(offset + 4, offset + length)]);
    offset += (length + 3) & ~3;
  }
  return attributes;
}

/** nfgenmsg is 4 bytes between the header and the attributes. */
export const nfgenmsgBytes = 4;

/** Big-endian u32; 0 when absent or short. */
export function readU32(value: Uint8Array | undefined): number {
  return value && value.length >= 4 ? viewOf(value).getUint32(0, false) : 0;
}

/** Big-endian u16; 0 when absent or short. */
export function readU16(value: Uint8Array | undefined): number {
  return value && value.length >= 2 ? viewOf(value).getUint16(0, false) : 0;
}

/** Without the terminating NUL. */
export function readString(value: Uint8Array | undefined): string {
  if (!value) return "";
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
