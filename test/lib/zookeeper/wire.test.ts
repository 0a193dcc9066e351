import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FrameSplitter } from "../../../lib/zookeeper/frameSplitter.ts";
import {
  decodeConnectResponse,
  decodeReplyHeader,
  encodeConnectRequest,
  encodeRequest,
  MultiError,
  type MultiOperation,
  opCode,
  readMulti,
  readStat,
  readWatchEvent,
  writeMulti,
} from "../../../lib/zookeeper/messages.ts";
import { Reader, Writer } from "../../../lib/zookeeper/wire.ts";
import { ZooKeeperError } from "../../../lib/zookeeper/zooKeeperError.ts";

const hex64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => n.toString(16).padStart(16, "0"));
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const text = fc.string({ unit: "grapheme" }).filter((s) => s.isWellFormed());
const isBadFrame = (error: unknown) => error instanceof ZooKeeperError && error.code === "BADFRAME";

/** What a reader does to bytes: a value, or a BADFRAME and nothing else. */
const tolerates = (read: (reader: Reader) => unknown, bytes: Uint8Array) => {
  try {
    read(new Reader(bytes));
    return true;
  } catch (error) {
    return isBadFrame(error);
  }
};

test("what is written is read again", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          int.map((value) => ["int", value] as const),
          fc.maxSafeInteger().map((value) => ["long", value] as const),
          hex64.map((value) => ["hex64", value] as const),
          fc.boolean().map((value) => ["bool", value] as const),
          fc.uint8Array({ maxLength: 2000 }).map((value) => ["buffer", value] as const),
          text.map((value) => ["string", value] as const),
        ),
      ),
      (fields) => {
        const writer = new Writer(4);
        for (const [kind, value] of fields) (writer[kind] as (value: unknown) => Writer).call(writer, value);
        const reader = new Reader(writer.frame().subarray(4));
        expect(fields.map(([kind]) => reader[kind]())).toEqual(fields.map(([, value]) => value));
        expect(reader.left).toBe(0);
      },
    ),
  );
});

test("the first bytes of a session, as ZooKeeper 3.8 takes them", () => {
  const request = { lastZxid: 0, timeoutMs: 2000, sessionId: "0".repeat(16), password: new Uint8Array(16) };
  const bytes = encodeConnectRequest(request);
  expect(bytes.length).toBe(4 + 45);
  expect(Buffer.from(bytes.subarray(0, 20)).toString("hex")).toBe(`0000002d${"0".repeat(8)}${"0".repeat(16)}000007d0`);
  const response = new Writer()
    .int(0)
    .int(4000)
    .hex64("0100008d5f0a0000")
    .buffer(new Uint8Array(16).fill(9))
    .bool(false);
  expect(decodeConnectResponse(response.bytes())).toEqual({
    timeoutMs: 4000,
    sessionId: "0100008d5f0a0000",
    password: new Uint8Array(16).fill(9),
  });
  const get = encodeRequest(7, opCode.getData, (writer) => writer.string("/a").bool(false));
  expect(Buffer.from(get).toString("hex")).toBe("0000000f" + "00000007" + "00000004" + "00000002" + "2f61" + "00");
});

describe("frames", () => {
  test("are the same however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 })),
        fc.array(fc.integer({ min: 1, max: 90 })),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map((body) => new Writer().buffer(body).bytes()));
          const splitter = new FrameSplitter(300);
          const got: Uint8Array[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const next = at + (cuts[i % Math.max(1, cuts.length)] ?? 50);
            got.push(...splitter.push(new Uint8Array(stream.subarray(at, next))));
            at = next;
          }
          expect(got.map((frame) => [...frame])).toEqual(bodies.map((body) => [...body]));
        },
      ),
    );
  });

  test("too long or negative are refused by their length alone", () => {
    for (const length of [-1, -(2 ** 31), 1025, 2 ** 31 - 1]) {
      expect(() => new FrameSplitter(1024).push(new Writer().int(length).bytes())).toThrow("at most 1024");
    }
    // "GET / HTTP" and a TLS alert: another protocol on the port
    expect(() => new FrameSplitter(1 << 20).push(Buffer.from("HTTP/1.1 400\r\n"))).toThrow(ZooKeeperError);
  });

  test("a promised length costs nothing until the bytes come", () => {
    const splitter = new FrameSplitter(1 << 30);
    const before = process.memoryUsage().arrayBuffers;
    expect(splitter.push(new Writer().int(1 << 30).bytes())).toEqual([]);
    for (let i = 0; i < 1000; i++) expect(splitter.push(new Uint8Array(8))).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 22);
  });
});

test("hostile answers break with BADFRAME, and with nothing else", () => {
  const operations: MultiOperation[] = [
    { op: "set", path: "/a", data: new Uint8Array(1) },
    { op: "delete", path: "/b" },
  ];
  const readers: ((reader: Reader) => unknown)[] = [
    (reader) => decodeReplyHeader(reader),
    (reader) => readStat(reader),
    (reader) => readWatchEvent(reader),
    (reader) => reader.vector(4, () => reader.string()),
    (reader) => reader.buffer(),
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of readers) expect(tolerates(read, bytes)).toBe(true);
      try {
        readMulti(new Reader(bytes), operations, 1);
      } catch (error) {
        expect(isBadFrame(error) || error instanceof MultiError).toBe(true);
      }
      expect(tolerates((_) => decodeConnectResponse(bytes), bytes)).toBe(true);
    }),
    { numRuns: 3000 },
  );
  for (const count of [2 ** 31 - 1, -2, 100]) {
    expect(() => new Reader(new Writer().int(count).int(0).bytes()).vector(4, () => 0)).toThrow("not an answer");
  }
});

test("a multi: each operation with its head, and what it gave", () => {
  const data = new TextEncoder().encode("x");
  const operations: MultiOperation[] = [
    { op: "check", path: "/c", version: 3 },
    { op: "create", path: "/n", data, mode: "ephemeral", acl: [{ perms: 31, scheme: "world", id: "anyone" }] },
    { op: "set", path: "/s", data, version: 5 },
    { op: "delete", path: "/d" },
  ];
  const writer = new Writer();
  writeMulti(writer, operations);
  const reader = new Reader(writer.bytes());
  const head = () => [reader.int(), reader.bool(), reader.int()];
  expect(head()).toEqual([opCode.check, false, -1]);
  expect([reader.string(), reader.int()]).toEqual(["/c", 3]);
  expect(head()).toEqual([opCode.create2, false, -1]);
  expect([reader.string(), reader.buffer()]).toEqual(["/n", data]);
  expect(reader.vector(12, () => [reader.int(), reader.string(), reader.string()])).toEqual([[31, "world", "anyone"]]);
  expect(reader.int()).toBe(1);
  expect(head()).toEqual([opCode.setData, false, -1]);
  expect([reader.string(), reader.buffer(), reader.int()]).toEqual(["/s", data, 5]);
  expect(head()).toEqual([opCode.delete, false, -1]);
  expect([reader.string(), reader.int()]).toEqual(["/d", -1]);
  expect(head()).toEqual([-1, true, -1]);
  expect(reader.left).toBe(0);

  const refused = new Writer();
  for (const error of [0, 0, -103, -2]) refused.int(-1).bool(false).int(error).int(error);
  refused.int(-1).bool(true).int(-1);
  expect(() => readMulti(new Reader(refused.bytes()), operations, 9)).toThrow(
    "operation 3 of a multi was refused: BADVERSION /s",
  );
});

test("whose a znode is: a session's, a container's, nobody's", () => {
  const stat = (owner: string) =>
    readStat(
      new Reader(
        new Writer().long(1).long(2).long(3).long(4).int(5).int(6).int(7).hex64(owner).int(8).int(9).long(10).bytes(),
      ),
    );
  expect(stat("0".repeat(16))).toEqual({
    ...{ czxid: 1, mzxid: 2, ctime: 3, mtime: 4, version: 5, cversion: 6, aversion: 7 },
    ...{ dataLength: 8, numChildren: 9, pzxid: 10 },
  });
  expect(stat("8000000000000000").ephemeralOwner).toBeUndefined();
  expect(stat("ff00000000001388").ephemeralOwner).toBeUndefined();
  expect(stat("0200008d5f0a0001").ephemeralOwner).toBe("0200008d5f0a0001");
});
