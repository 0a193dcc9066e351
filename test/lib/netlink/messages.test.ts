import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  listAttributes,
  readAttributes,
  readMessages,
  readString,
  readU16,
  readU32,
} from "../../../lib/netlink/messageReader.ts";
import { MessageWriter } from "../../../lib/netlink/messageWriter.ts";

describe("MessageWriter", () => {
  test("writes nlmsghdr, nfgenmsg and padded attributes as the kernel has them", () => {
    const writer = new MessageWriter(1);
    writer.message({ type: 0x0a00, flags: 0x0401, sequence: 7, family: 2, resource: 10 }, () => {
      writer.string(1, "tab");
      writer.nest(4, () => writer.u32(2, -110));
      writer.u16(3, 443);
      writer.u8(5, 6);
    });
    expect(Buffer.from(writer.bytes()).toString("hex")).toBe(
      [
        ...["38000000", "000a", "0104", "07000000", "00000000"],
        ...["0200000a"],
        ...["0800", "0100", "74616200"],
        ...["0c00", "0480", "0800", "0200", "ffffff92"],
        ...["0600", "0300", "01bb0000"],
        ...["0500", "0500", "06000000"],
      ].join(""),
    );
  });

  test("refuses what does not fit a nested attribute, instead of a length that wraps", () => {
    const writer = new MessageWriter();
    expect(() => writer.nest(3, () => writer.binary(1, new Uint8Array(65_530)))).toThrow(RangeError);
    expect(() => writer.binary(1, new Uint8Array(65_531))).not.toThrow();
  });

  test("what is written is read back", () => {
    const value = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), value), { maxLength: 20 }), (attributes) => {
        const writer = new MessageWriter(1);
        for (const sequence of [1, 2])
          writer.message({ type: 20, flags: 0, sequence, family: 2 }, () => {
            for (const [type, bytes] of attributes) writer.binary(type, bytes);
          });
        const messages = readMessages(writer.bytes());
        expect(messages.map(({ sequence }) => sequence)).toEqual([1, 2]);
        for (const { body } of messages)
          expect(listAttributes(body.subarray(4)).map(([type, bytes]) => [type, [...bytes]])).toEqual(
            attributes.map(([type, bytes]) => [type, [...bytes]]),
          );
      }),
    );
  });
});

describe("reading", () => {
  test("never throws and never reads beyond, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const { body } of readMessages(bytes)) readAttributes(body);
        for (const [, value] of listAttributes(bytes)) {
          readU32(value);
          readU16(value);
          readString(value);
        }
        expect(listAttributes(bytes).length).toBeLessThanOrEqual(bytes.length / 4);
      }),
    );
  });
});
