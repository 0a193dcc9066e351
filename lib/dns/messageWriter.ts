import { dnsClass } from "./dnsConstants.ts";
import { encodeLabel, labelsOf } from "./names.ts";
import { addressBytes, type DnsRecord, typeNumber } from "./records.ts";

/**
 * Writes a message of at most `limit` bytes with name compression (RFC 1035 section 4.1.4). SRV targets are written whole, as
 * RFC 2782 asks.
 */
export class MessageWriter {
  length = 0;
  #bytes: Uint8Array;
  readonly #limit: number;
  /** Lower-cased name (its labels joined by NUL) -> where it was written. */
  readonly #seen = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
    this.#bytes = new Uint8Array(Math.min(limit, 1024));
  }

  /** Writes the record whole, or nothing and returns false when it does not fit. @throws {DnsError} bad_name, bad_address */
  record(record: DnsRecord): boolean {
    const start = this.length;
    const seen: string[] = [];
    try {
      this.name(record.name, seen);
      this.u16(typeNumber(record));
      this.u16(dnsClass.IN);
      this.u32(record.ttl);
      const lengthAt = this.length;
      this.u16(0);
      this.#rdata(record, seen);
      const size = this.length - lengthAt - 2;
      this.#bytes[lengthAt] = size >> 8;
      this.#bytes[lengthAt + 1] = size & 0xff;
    } catch (error) {
      this.#undo(start, seen);
      throw error;
    }
    if (this.length <= this.#limit) return true;
    this.#undo(start, seen);
    return false;
  }

  /** A name, compressed against those written before; `seen` gets what this call remembered. */
  name(name: string, seen: string[] = []): void {
    const labels = labelsOf(name);
    for (let i = 0; i < labels.length; i++) {
      const key = labels.slice(i).join("\0").toLowerCase();
      const at = this.#seen.get(key);
      if (at !== undefined) {
        this.u16(0xc000 | at);
        return;
      }
      if (this.length < 0x4000) {
        this.#seen.set(key, this.length);
        seen.push(key);
      }
      const label = encodeLabel(labels[i] ?? "");
      this.u8(label.length);
      this.raw(label);
    }
    this.u8(0);
  }

  /** Remembers a name that `raw` wrote at `offset`, so that later names point at it. */
  remember(name: string, offset: number): void {
    const labels = labelsOf(name);
    let at = offset;
    for (let i = 0; i < labels.length; i++) {
      const key = labels.slice(i).join("\0").toLowerCase();
      if (at < 0x4000 && !this.#seen.has(key)) this.#seen.set(key, at);
      at += encodeLabel(labels[i] ?? "").length + 1;
    }
  }

  u8(value: number): void {
    this.#grow(1);
    this.#bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.#grow(2);
    this.#bytes[this.length++] = value >> 8;
    this.#bytes[this.length++] = value & 0xff;
  }

  u32(value: number): void {
    this.u16((value >>> 16) & 0xffff);
    this.u16(value & 0xffff);
  }

  raw(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #rdata(record: DnsRecord, seen: string[]): void {
    switch (record.type) {
      case "A":
      case "AAAA":
        this.raw(addressBytes(record.address));
        return;
      case "SRV":
        this.u16(record.priority);
        this.u16(record.weight);
        this.u16(record.port);
        for (const label of labelsOf(record.target)) {
          const bytes = encodeLabel(label);
          this.u8(bytes.length);
          this.raw(bytes);
        }
        this.u8(0);
        return;
      case "PTR":
        this.name(record.target, seen);
        return;
      case "TXT":
        for (const text of record.text) {
          const bytes = new TextEncoder().encode(text).subarray(0, 255);
          this.u8(bytes.length);
          this.raw(bytes);
        }
        return;
      case "SOA":
        this.name(record.mname, seen);
        this.name(record.rname, seen);
        for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum])
          this.u32(value);
    }
  }

  #undo(start: number, seen: readonly string[]): void {
    this.length = start;
    for (const key of seen) this.#seen.delete(key);
  }

  #grow(more: number): void {
    const need = this.length + more;
    if (need <= this.#bytes.length) return;
    const bigger = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    bigger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bigger;
  }
}
