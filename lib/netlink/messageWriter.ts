/** Bytes of struct nlmsghdr. */
export const headerBytes = 16;
/** An attribute's length is a u16: what is nested in one attribute must stay below 64 KiB. */
export const attributeLimit = 0xffff;

const nestedFlag = 0x8000;
const text = new TextEncoder();

/**
 * Writes netlink messages (netlink(7), linux/netlink.h) one after another into a buffer that grows.
 * Headers are in host byte order (little-endian on what we run on); values are what the caller says.
 *
 * @example
 * const writer = new MessageWriter();
 * writer.message({ type: 0x0a00, flags: 1, sequence: 1, family: 2 }, () => writer.string(1, "table"));
 * send(writer.bytes());
 */
export class MessageWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  constructor(initialBytes = 4096) {
    this.#buffer = new Uint8Array(initialBytes);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; valid until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** One message with struct nfgenmsg (family, version 0, resource id) and what `body` writes. */
  message(
    header: { type: number; flags: number; sequence: number; family: number; resource?: number },
    body: () => void = () => undefined,
  ): void {
    const start = this.#length;
    this.#grow(headerBytes + 4);
    this.#view.setUint16(start + 4, header.type, true);
    this.#view.setUint16(start + 6, header.flags, true);
    this.#view.setUint32(start + 8, header.sequence, true);
    this.#view.setUint32(start + 12, 0, true);
    this.#buffer[start + 16] = header.family;
    this.#buffer[start + 17] = 0;
    this.#view.setUint16(start + 18, header.resource ?? 0, false);
    this.#length += headerBytes + 4;
    body();
    this.#view.setUint32(start, this.#length - start, true);
  }

  /**
   * An attribute whose value `body` writes; padded to 4 bytes.
   * @throws {RangeError} when the value does not fit a u16 length.
   */
  attribute(type: number, body: () => void): void {
    const start = this.#length;
    this.#grow(4);
    this.#length += 4;
    body();
    const length = this.#length - start;
    if (length > attributeLimit) throw new RangeError(`netlink attribute ${type & ~nestedFlag} has ${length} bytes`);
    this.#view.setUint16(start, length, true);
    this.#view.setUint16(start + 2, type, true);
    const padding = -length & 3;
    this.#grow(padding);
    this.#buffer.fill(0, this.#length, this.#length + padding);
    this.#length += padding;
  }

  nest(type: number, body: () => void): void {
    this.attribute(type | nestedFlag, body);
  }

  raw(bytes: ArrayLike<number>): void {
    this.#grow(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  binary(type: number, bytes: ArrayLike<number>): void {
    this.attribute(type, () => this.raw(bytes));
  }

  /** NUL-terminated. */
  string(type: number, value: string): void {
    this.attribute(type, () => {
      this.raw(text.encode(value));
      this.raw([0]);
    });
  }

  u8(type: number, value: number): void {
    this.binary(type, [value & 0xff]);
  }

  /** Big-endian, as all numbers of nfnetlink are. */
  u16(type: number, value: number): void {
    this.binary(type, [(value >>> 8) & 0xff, value & 0xff]);
  }

  /** Big-endian. Negative values go out as two's complement (a chain's priority). */
  u32(type: number, value: number): void {
    this.binary(type, [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
  }

  /** Big-endian; whole numbers that a double holds exactly. */
  u64(type: number, value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value));
    this.binary(type, new Uint8Array(view.buffer));
  }

  #grow(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, needed));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}
