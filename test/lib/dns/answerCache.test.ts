import { expect, test } from "bun:test";
import dnsPacket, { type Packet } from "dns-packet";
import fc from "fast-check";
import { AnswerCache } from "../../../lib/dns/answerCache.ts";
import { createResponder, rcode, type Zone } from "../../../lib/dns/index.ts";

const udp = { clientAddress: "127.0.0.1", transport: "udp" } as const;

function query(id: number, name: string, extra: Partial<Packet> = {}): Uint8Array {
  return Uint8Array.from(dnsPacket.encode({ type: "query", id, questions: [{ name, type: "A" }], ...extra }));
}

function counted(addresses: () => string[], fresh: (() => boolean) | undefined) {
  let asked = 0;
  const zone: Zone = {
    origin: "test",
    answer({ name }) {
      asked++;
      const records = addresses().map((address) => ({ type: "A" as const, name, ttl: 0, address }));
      const order = asked % 2 === 0 ? records : records.reverse();
      return { rcode: 0, answers: order, authority: [], additionals: [], ...(fresh ? { fresh } : {}) };
    },
  };
  const respond = createResponder({ zones: [zone] });
  const ask = async (message: Uint8Array) => {
    const reply = await respond(message, udp);
    return dnsPacket.decode(Buffer.from(reply ?? [])) as unknown as Packet & {
      answers: { name: string; data: string }[];
    };
  };
  return { ask, asked: () => asked };
}

test("a fresh answer is made once, and given with each asker's own id", async () => {
  const { ask, asked } = counted(
    () => ["10.0.0.1"],
    () => true,
  );
  for (const id of [1, 2, 3]) expect((await ask(query(id, "a.test"))).id).toBe(id);
  expect(asked()).toBe(1);
  expect((await ask(query(4, "A.test"))).answers[0]?.name).toBe("A.test");
  expect(asked()).toBe(2);
});

test("no longer fresh: asked again", async () => {
  let address = "10.0.0.1";
  let version = 1;
  const kept = version;
  const { ask, asked } = counted(
    () => [address],
    () => version === kept,
  );
  await ask(query(1, "a.test"));
  [address, version] = ["10.0.0.2", 2];
  expect((await ask(query(1, "a.test"))).answers[0]?.data).toBe("10.0.0.2");
  expect(asked()).toBe(2);
});

test("several orders are kept, and made anew from time to time", async () => {
  const { ask, asked } = counted(
    () => ["10.0.0.1", "10.0.0.2"],
    () => true,
  );
  const firsts = new Map<string, number>();
  for (let i = 0; i < 2560; i++) {
    const first = (await ask(query(i, "a.test"))).answers[0]?.data ?? "";
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  expect([...firsts.values()].every((count) => count > 800)).toBe(true);
  expect(asked()).toBeGreaterThan(8 + 5);
  expect(asked()).toBeLessThan(30);
});

test("what does not say that it is fresh, and what comes with options, is never kept", async () => {
  const plain = counted(() => ["10.0.0.1"], undefined);
  for (const id of [1, 2]) await plain.ask(query(id, "a.test"));
  expect(plain.asked()).toBe(2);
  const cookies = counted(
    () => ["10.0.0.1"],
    () => true,
  );
  const options = [{ code: 10, data: Buffer.from("12345678") }];
  const opt = {
    type: "OPT" as const,
    name: ".",
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options,
  };
  for (const id of [1, 2]) await cookies.ask(query(id, "a.test", { additionals: [opt as never] }));
  expect(cookies.asked()).toBe(2);
});

test("property: whatever is asked and changed in between, kept answers are those that would be made", () => {
  const services = ["a", "b", "A", "none"];
  const opt = (udpPayloadSize: number) =>
    [{ type: "OPT", name: ".", udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, options: [] }] as never;
  const question = fc.record({
    id: fc.nat(0xffff),
    name: fc.constantFrom(...services),
    type: fc.constantFrom("A" as const, "AAAA" as const, "TXT" as const),
    flags: fc.constantFrom(0, dnsPacket.RECURSION_DESIRED, dnsPacket.CHECKING_DISABLED),
    payload: fc.constantFrom(0, 512, 1232, 4096),
    /** Where the message lies in the bytes that came. */
    at: fc.nat(100),
  });
  const change = fc.record({ service: fc.constantFrom("a", "b"), count: fc.nat(60) });
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 4, arbitrary: question }, change), { maxLength: 60 }), (steps) => {
      const state = new Map([
        ["a", { version: 1, count: 2 }],
        ["b", { version: 1, count: 40 }],
      ]);
      const zone: Zone = {
        origin: "test",
        answer({ name, type }) {
          const service = name.split(".")[0]?.toLowerCase() ?? "";
          const found = state.get(service);
          const { version = 0, count = 0 } = found ?? {};
          return {
            rcode: found ? rcode.NOERROR : rcode.NXDOMAIN,
            answers: Array.from({ length: type === 1 ? count : 0 }, (_, i) => ({
              type: "A" as const,
              name,
              ttl: version,
              address: `10.0.0.${i}`,
            })),
            authority: [],
            additionals: [],
            fresh: () => (state.get(service)?.version ?? 0) === version,
          };
        },
      };
      const [respond, plain] = [createResponder({ zones: [zone] }), createResponder({ zones: [zone], cacheBytes: 0 })];
      for (const step of steps) {
        if ("service" in step) {
          state.set(step.service, { version: (state.get(step.service)?.version ?? 0) + 1, count: step.count });
          continue;
        }
        const message = query(step.id, `${step.name}.test`, {
          flags: step.flags,
          questions: [{ name: `${step.name}.test`, type: step.type }],
          ...(step.payload > 0 ? { additionals: opt(step.payload) } : {}),
        });
        const expected = Buffer.from(plain(message, udp) as Uint8Array).toString("hex");
        expect(Buffer.from(respond(message, udp) as Uint8Array).toString("hex")).toBe(expected);
        const among = new Uint8Array(step.at + message.length + 9).fill(7);
        among.set(message, step.at);
        const kept = respond.kept?.(among, step.at, step.at + message.length, udp);
        // The first of the orders may be all there is yet.
        if (kept) expect(Buffer.from(kept).subarray(2).toString("hex")).toBe(expected.slice(4));
      }
    }),
  );
});

test("property: what the cache counts is what it holds, and never more than its limit", () => {
  const bytes = fc.uint8Array({ minLength: 12, maxLength: 320 });
  fc.assert(
    fc.property(fc.array(fc.record({ question: bytes, reply: bytes, varies: fc.boolean() })), (puts) => {
      const cache = new AnswerCache(4000);
      let isFresh = true;
      for (const { question, reply, varies } of puts) {
        cache.put(question, reply, () => isFresh, varies);
        expect(cache.bytes).toBeLessThanOrEqual(4000);
      }
      isFresh = false;
      for (const { question } of puts) expect(cache.get(question, 0, question.length, udp)).toBeUndefined();
      expect(cache.bytes).toBe(0);
    }),
  );
});

test("questions that differ in any byte but the id's are different", () => {
  const cache = new AnswerCache(10_000);
  const question = query(1, "a.test");
  cache.put(question, Uint8Array.of(1, 2, 3), () => true, false);
  const other = question.slice();
  other[0] = 99;
  expect(cache.get(other, 0, other.length, udp)).toEqual(Uint8Array.of(1, 2, 3));
  for (let i = 2; i < question.length; i++) {
    const changed = question.slice();
    changed[i] = (changed[i] ?? 0) ^ 0x20;
    expect(cache.get(changed, 0, changed.length, udp)).toBeUndefined();
  }
  expect(cache.get(question, 0, question.length - 1, udp)).toBeUndefined();
});
