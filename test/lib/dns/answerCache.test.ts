import { expect, test } from "bun:test";
import dnsPacket, { type Packet } from "dns-packet";
import { createResponder, type Zone } from "../../../lib/dns/index.ts";

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
  for (let i = 0; i < 640; i++) {
    const first = (await ask(query(i, "a.test"))).answers[0]?.data ?? "";
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  expect([...firsts.values()].every((count) => count > 200)).toBe(true);
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
