import { describe, expect, test } from "bun:test";
import dnsPacket, { type Packet } from "dns-packet";
import fc from "fast-check";
import { createResponder, type DnsRecord, rcode, type Zone } from "../../../lib/dns/index.ts";

const records: DnsRecord[] = Array.from({ length: 100 }, (_, i) => ({
  type: "A",
  name: "many.test",
  ttl: 0,
  address: `10.0.0.${i}`,
}));

const zone: Zone = {
  origin: "test",
  answer: (question) => {
    const name = question.name.toLowerCase();
    if (name === "boom.test") throw new Error("the zone broke");
    if (name === "late.test") return Promise.reject(new Error("the zone broke late"));
    if (name === "long.test") {
      return {
        rcode: 0,
        answers: [{ type: "A", name: `${"x".repeat(64)}.test`, ttl: 0, address: "10.0.0.1" }],
        authority: [],
        additionals: [],
      };
    }
    return { rcode: 0, answers: name === "many.test" ? records : [], authority: [], additionals: [] };
  },
};
const respond = createResponder({ zones: [zone] });
const udp = { clientAddress: "127.0.0.1", transport: "udp" } as const;
const tcp = { clientAddress: "127.0.0.1", transport: "tcp" } as const;

function query(name: string, extra: Partial<Packet> = {}, type = "A"): Uint8Array {
  return dnsPacket.encode({
    type: "query",
    id: 4242,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as "A" }],
    ...extra,
  });
}

function opt(udpPayloadSize: number, ednsVersion = 0): Partial<Packet> {
  return {
    additionals: [
      { type: "OPT", name: ".", udpPayloadSize, extendedRcode: 0, ednsVersion, flags: 0, flag_do: false, options: [] },
    ],
  };
}

/** What another codec reads in our answer. */
async function ask(message: Uint8Array, context: typeof udp | typeof tcp = udp) {
  const reply = await respond(message, context);
  if (!reply) throw new Error("no answer");
  const packet = dnsPacket.decode(Buffer.from(reply)) as unknown as Packet & { rcode: string; flag_tc: boolean };
  return { reply, packet, code: (reply[3] ?? 0) & 0xf };
}

describe("createResponder", () => {
  test("keeps the id, the question's case and RD, and says that it is authoritative", async () => {
    const { packet } = await ask(query("MaNy.TeSt"), tcp);
    expect(packet).toMatchObject({
      id: 4242,
      type: "response",
      flag_aa: true,
      flag_rd: true,
      flag_ra: false,
      flag_tc: false,
    });
    expect(packet.questions?.[0]?.name).toBe("MaNy.TeSt");
    expect(packet.answers).toHaveLength(100);
  });

  test("names are compressed: an answer costs 16 bytes", async () => {
    const { reply } = await ask(query("many.test"), tcp);
    expect(reply.length).toBe(12 + 15 + 100 * 16);
  });

  test("UDP: as many whole records as fit, and TC", async () => {
    const { reply, packet } = await ask(query("many.test"));
    expect(reply.length).toBeLessThanOrEqual(512);
    expect(packet.flag_tc).toBe(true);
    expect(packet.answers).toHaveLength(Math.floor((512 - 27) / 16));
  });

  test.each([
    [100, 512],
    [900, 900],
    [1232, 1232],
    [65_535, 1232],
  ])("EDNS payload %i: up to %i bytes, and our OPT comes back", async (payload, limit) => {
    const { reply, packet } = await ask(query("many.test", opt(payload)));
    expect(reply.length).toBeLessThanOrEqual(limit);
    expect(reply.length).toBeGreaterThan(limit - 16);
    expect(packet.additionals).toMatchObject([{ type: "OPT", udpPayloadSize: 1232 }]);
  });

  test("without EDNS in the query there is none in the answer", async () => {
    expect((await ask(query("none.test"))).packet.additionals).toEqual([]);
  });

  test("an EDNS version that is not ours: BADVERS", async () => {
    const { packet, code } = await ask(query("many.test", opt(1232, 1)));
    expect(code).toBe(rcode.BADVERS & 0xf);
    expect(packet.additionals).toMatchObject([{ extendedRcode: rcode.BADVERS >> 4 }]);
  });

  test.each(["other.example", "", "atest", "test.example"])("a name that is not ours (%p) is refused", async (name) => {
    expect((await ask(query(name))).code).toBe(rcode.REFUSED);
  });

  test.each(["boom.test", "late.test", "long.test"])("a zone that fails (%s): SERVFAIL", async (name) => {
    expect((await ask(query(name))).code).toBe(rcode.SERVFAIL);
  });

  test("a response, or less than a header, is met with silence", () => {
    expect(
      respond(dnsPacket.encode({ type: "response", id: 1, questions: [{ name: "many.test", type: "A" }] }), udp),
    ).toBeUndefined();
    expect(respond(new Uint8Array(11), udp)).toBeUndefined();
    expect(respond(new Uint8Array(0), udp)).toBeUndefined();
  });

  test.each([
    ["no question", { questions: [] }],
    ["two questions", { questions: [1, 2].map(() => ({ name: "many.test", type: "A" as const })) }],
  ])("%s: FORMERR", async (_, extra) => {
    const message = dnsPacket.encode({ type: "query", id: 7, ...extra });
    const { reply, code } = await ask(message);
    expect(code).toBe(rcode.FORMERR);
    expect(reply).toHaveLength(12);
  });

  test("another opcode: NOTIMP", async () => {
    const message = query("many.test");
    message[2] = 5 << 3;
    expect((await ask(message)).code).toBe(rcode.NOTIMP);
  });

  test.each([
    ["points at itself", [0xc0, 12]],
    ["points forwards", [0xc0, 200]],
    ["is cut off", [5, 97]],
    ["has an unknown label kind", [0x41, 0]],
  ])("a name that %s: FORMERR", async (_, name) => {
    const message = Uint8Array.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name]);
    expect((await ask(message)).code).toBe(rcode.FORMERR);
  });

  test("a question with odd bytes comes back to the byte", async () => {
    const label = [4, 0x2e, 0xff, 0x5c, 0x00, 4, 0x74, 0x65, 0x73, 0x74, 0];
    const message = Uint8Array.from([0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...label, 0, 1, 0, 1]);
    const reply = (await respond(message, udp)) as Uint8Array;
    expect([...reply.subarray(12)]).toEqual([...label, 0, 1, 0, 1]);
    expect((reply[3] ?? 0) & 0xf).toBe(rcode.NOERROR);
  });

  test("hostile bytes: silence or a well-formed answer within the limit, never an exception", async () => {
    const valid = [query("many.test"), query("a.b.c.test", opt(4096)), query("x.example", {}, "SRV")];
    const mutated = fc
      .tuple(
        fc.constantFrom(...valid),
        fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
        fc.nat(80),
        fc.uint8Array({ maxLength: 30 }),
      )
      .map(([message, changes, cut, tail]) => {
        const copy = Uint8Array.from([...message.subarray(0, cut < 12 ? undefined : cut), ...tail]);
        for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
        return copy;
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), async (message) => {
        const reply = await respond(message, udp);
        if (!reply) return;
        expect(reply.length).toBeLessThanOrEqual(1232);
        expect(reply.subarray(0, 2)).toEqual(message.subarray(0, 2));
        expect((reply[2] ?? 0) & 0x80).toBe(0x80);
        dnsPacket.decode(Buffer.from(reply));
      }),
      { numRuns: 5000 },
    );
  });
});
