/** Messages framed by two bytes of length (RFC 1035 section 4.2.2), however TCP cut them. Keeps at most one message. */
export class TcpFrames {
  #kept: Uint8Array = new Uint8Array(0);

  /** The messages that are now complete, as own bytes. */
  push(bytes: Uint8Array): Uint8Array[] {
    let rest = bytes;
    if (this.#kept.length > 0) {
      rest = new Uint8Array(this.#kept.length + bytes.length);
      rest.set(this.#kept);
      rest.set(bytes, this.#kept.length);
    }
    const messages: Uint8Array[] = [];
    let at = 0;
    while (rest.length - at >= 2) {
      const size = ((rest[at] ?? 0) << 8) | (rest[at + 1] ?? 0);
      if (rest.length - at - 2 < size) break;
      messages.push(rest.slice(at + 2, at + 2 + size));
      at += 2 + size;
    }
    this.#kept = rest.slice(at);
    return messages;
  }
}

/** `message` with its length before it. */
export function tcpFrame(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(message.length + 2);
  out[0] = message.length >> 8;
  out[1] = message.length & 0xff;
  out.set(message, 2);
  return out;
}
