import { afterEach, expect, test } from "bun:test";
import { bindUdp, type UdpSocket } from "../../../lib/runtime/udp.ts";
import { type BatchAnswer, openUdpBatch } from "../../../lib/runtime/udpBatch.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const part of open.splice(0)) part.close();
});

const loopback = { hostname: "127.0.0.1", port: 0 };
const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

async function bind(receive: Parameters<typeof bindUdp>[1] = () => {}, answer?: BatchAnswer): Promise<UdpSocket> {
  const socket = await bindUdp(loopback, receive, answer);
  open.push(socket);
  return socket;
}

/** Answers "N" with "batch N from ADDRESS", but for multiples of 10. */
const answer: BatchAnswer = ({ received, start, end, address, replies, at }) => {
  const number = text(received.subarray(start, end));
  if (number.endsWith("0")) return 0;
  return encoder.encodeInto(`batch ${number} from ${address}`, replies.subarray(at)).written;
};

test("what waits is answered in one go; what has no answer at hand is received", async () => {
  const replies: string[] = [];
  const client = await bind((bytes) => replies.push(text(bytes)));
  const server = await bind();
  const batch = await openUdpBatch("127.0.0.1", server.port);
  const received: string[] = [];
  // Over loopback a datagram is in the other's queue when its send returns: 150 are more than two calls take.
  for (let n = 1; n <= 150; n++) client.send(encoder.encode(String(n)), server.port, "127.0.0.1");
  const receive = (bytes: Uint8Array, port: number, address: string) => {
    received.push(text(bytes));
    expect([port, address]).toEqual([client.port, "127.0.0.1"]);
  };
  expect(batch?.drain(answer, receive, 100)).toBe(128);
  expect(received).toHaveLength(12);
  expect(batch?.drain(answer, receive, 100)).toBe(22);
  expect(received).toEqual(Array.from({ length: 15 }, (_, i) => String(10 * (i + 1))));
  await waitFor(() => replies.length === 135, { what: "135 replies" });
  const expected = Array.from({ length: 150 }, (_, i) => i + 1).filter((n) => n % 10 > 0);
  expect(replies).toEqual(expected.map((n) => `batch ${n} from 127.0.0.1`));
});

test("closed in the middle: nothing more is taken or sent", async () => {
  const client = await bind();
  const server = await bind();
  const batch = await openUdpBatch("127.0.0.1", server.port);
  for (let n = 0; n < 100; n++) client.send(encoder.encode("x"), server.port, "127.0.0.1");
  let asked = 0;
  batch?.drain(
    () => {
      asked++;
      batch.close();
      return 1;
    },
    () => {},
    100,
  );
  expect(asked).toBe(64);
  expect(batch?.drain(answer, () => asked++, 100)).toBe(0);
  expect(asked).toBe(64);
});

test("a datagram longer than the room for it is cut, and its neighbours stay whole", async () => {
  const client = await bind();
  const server = await bind();
  const batch = await openUdpBatch("127.0.0.1", server.port);
  for (const length of [3, 5000, 4]) client.send(new Uint8Array(length).fill(length), server.port, "127.0.0.1");
  const seen: Uint8Array[] = [];
  batch?.drain(
    () => 0,
    (bytes) => seen.push(bytes),
    100,
  );
  expect(seen.map((bytes) => bytes.length)).toEqual([3, 2048, 4]);
  expect(seen[2]).toEqual(new Uint8Array(4).fill(4));
});

test("there is none for an address that is not bound, nor for TCP's", async () => {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  expect(await openUdpBatch("127.0.0.1", listener.port)).toBeUndefined();
  listener.stop(true);
});

test("a socket begins to answer in batches when there is much to do, and goes on to receive", async () => {
  const replies: string[] = [];
  const client = await bind((bytes) => replies.push(text(bytes)));
  const server = await bind((bytes, port, from) => server.queue(bytes, port, from), answer);
  let rounds = 0;
  while (!replies.some((reply) => reply.startsWith("batch"))) {
    expect(rounds++).toBeLessThan(1000);
    replies.length = 0;
    for (let n = 1; n <= 20; n++) client.queue(encoder.encode(String(n)), server.port, "127.0.0.1");
    await waitFor(() => replies.length === 20, { what: "20 replies" });
  }
  expect(rounds).toBeGreaterThan(1);
  replies.length = 0;
  client.send(encoder.encode("single"), server.port, "127.0.0.1");
  await waitFor(() => replies.length === 1, { what: "the reply to a single one" });
  expect(replies).toEqual(["single"]);
});
