/** Most bytes that are kept of what a check says. */
export const maxOutput = 4096;

/** Collects output up to 4 KB and drops the rest, so that a check that talks without end costs nothing. */
export class BoundedOutput {
  #parts: Uint8Array[] = [];
  #size = 0;

  add(bytes: Uint8Array): void {
    const room = maxOutput - this.#size;
    if (room <= 0) return;
    const part = bytes.subarray(0, room);
    this.#parts.push(part.slice());
    this.#size += part.byteLength;
  }

  /** A letter that was cut in two is left out. */
  text(): string {
    const whole = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    return new TextDecoder().decode(whole, { stream: true });
  }
}

/** The first 4 KB of a text. */
export function bounded(text: string): string {
  if (text.length * 3 <= maxOutput) return text;
  const output = new BoundedOutput();
  output.add(new TextEncoder().encode(text));
  return output.text();
}
