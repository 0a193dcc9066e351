import { describe, expect, test } from "bun:test";
import { isIPv6 } from "node:net";
import dnsPacket from "dns-packet";
import fc from "fast-check";
import { MessageWriter } from "../../../lib/dns/messageWriter.ts";
import { labelsOf, readName } from "../../../lib/dns/names.ts";
import { addressBytes, type DnsRecord } from "../../../lib/dns/records.ts";
import { TcpFrames, tcpFrame } from "../../../lib/dns/tcpFrames.ts";

const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));

function answerSection(records: DnsRecord[]) {
  const writer = new MessageWriter(65_535);
  writer.raw(Uint8Array.of(0, 1, 0x80, 0, 0, 0, records.length >> 8, records.length & 0xff, 0, 0, 0, 0));
  for (const record of records) expect(writer.record(record)).toBe(true);
  return dnsPacket.decode(Buffer.from(writer.bytes())).answers ?? [];
}

describe("MessageWriter", () => {
  test("another codec reads back what was written", () => {
    const record = fc.oneof(
      fc.record({ type: fc.constant("A" as const), name, ttl: fc.nat(), address: fc.ipV4() }),
      fc.record({
        type: fc.constant("SRV" as const),
        name,
        ttl: fc.nat(),
        priority: fc.nat(65_535),
        weight: fc.nat(65_535),
        port: fc.nat(65_535),
        target: name,
      }),
    );
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), (records) => {
        const read = answerSection(records);
        const expected = records.map((record) =>
          record.type === "A"
            ? { type: "A", name: record.name.toLowerCase(), ttl: record.ttl, data: record.address }
            : {
                type: "SRV",
                name: record.name.toLowerCase(),
                ttl: record.ttl,
                data: { priority: record.priority, weight: record.weight, port: record.port, target: record.target },
              },
        );
        // A name that was written before is pointed at, in the case that it had there.
        const lower = read.map((answer) =>
          "name" in answer ? { ...answer, name: answer.name.toLowerCase() } : answer,
        );
        expect(lower).toMatchObject(expected as never);
      }),
    );
  });

  test("what does not fit is not there at all, and its names are not pointed at", () => {
    const writer = new MessageWriter(60);
    writer.raw(new Uint8Array(12));
    const record = (owner: string): DnsRecord => ({ type: "A", name: owner, ttl: 0, address: "10.0.0.1" });
    expect(writer.record(record("first.test"))).toBe(true);
    const length = writer.length;
    expect(writer.record(record("a-name-that-is-too-long-to-fit-in-what-is-left.example"))).toBe(false);
    expect(writer.length).toBe(length);
    expect(writer.record(record("b.example"))).toBe(false);
    expect(writer.record(record("first.test"))).toBe(true);
  });
});

test("addressBytes writes IPv6 as the URL parser does", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      if (!isIPv6(text) || !URL.canParse(`http://[${text}]`)) return;
      const bytes = addressBytes(text);
      const words = Array.from({ length: 8 }, (_, i) =>
        (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
      );
      expect(new URL(`http://[${words.join(":")}]`).hostname).toBe(new URL(`http://[${text}]`).hostname);
    }),
  );
  for (const bad of ["", "db.example", "10.0.0", "fe80::1%eth0", "1:2"])
    expect(() => addressBytes(bad)).toThrow("not an IP address");
});

test("labelsOf splits only at dots that are not escaped", () => {
  expect(labelsOf("a\\.b.c")).toEqual(["a\\.b", "c"]);
  expect(labelsOf("a\\\\.c.")).toEqual(["a\\\\", "c"]);
  expect(labelsOf("")).toEqual([]);
  expect(readName(Uint8Array.from([3, 0x61, 0x2e, 0x62, 1, 0x63, 0]), 0)).toEqual({ name: "a\\.b.c", end: 7 });
});

test("TcpFrames: however TCP cuts the messages, they come out whole and in order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 })),
      fc.array(fc.integer({ min: 1, max: 200 })),
      (messages, cuts) => {
        const stream = Uint8Array.from(messages.flatMap((message) => [...tcpFrame(message)]));
        const frames = new TcpFrames();
        const out: Uint8Array[] = [];
        let at = 0;
        for (let i = 0; at < stream.length; i++) {
          const size = cuts[i % Math.max(1, cuts.length)] ?? 7;
          out.push(...frames.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(out).toEqual(messages);
      },
    ),
  );
});
