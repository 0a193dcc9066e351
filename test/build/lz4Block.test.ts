import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { lz4Block } from "../../build/lz4Block.ts";
import { unpackLz4 } from "./fixtures/unpackLz4.ts";

test("what is packed unpacks to the same, whatever it is", () => {
  // Few different bytes, so that there is something to pack.
  const bytes = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 700 })), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.uint8Array({ maxLength: 300 }), (runs, noise) => {
      const whole = Buffer.concat([...runs.map(([byte, times]) => Buffer.alloc(times, byte)), noise, noise]);
      expect(unpackLz4(lz4Block(whole), whole.length).equals(whole)).toBe(true);
    }),
  );
});

test.each([0, 1, 11, 12, 13, 14, 15, 16, 270, 65_536, 200_000])("%d zeros", (count) => {
  const zeros = Buffer.alloc(count);
  const block = lz4Block(zeros);
  expect(unpackLz4(block, count).equals(zeros)).toBe(true);
  expect(block.length).toBeLessThan(count / 200 + 20);
});

test("a program takes much less than it was, and the same each time", () => {
  const program = readFileSync("/proc/self/exe").subarray(0x2000000, 0x2000000 + 300_000);
  const block = lz4Block(program);
  expect(block.length).toBeLessThan(program.length * 0.75);
  expect(lz4Block(Buffer.from(program)).equals(block)).toBe(true);
  expect(unpackLz4(block, program.length).equals(program)).toBe(true);
});
