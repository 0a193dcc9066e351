import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { BuildError } from "../../build/BuildError.ts";
import { readElf } from "../../build/elf.ts";
import { makeElf } from "./fixtures/makeElf.ts";

test("reads what a dynamic program asks for", () => {
  const elf = readElf(makeElf({ needed: ["libc.so.6", "libm.so.6"], extraDynamic: 3 }));
  expect(elf.arch).toBe("x64");
  expect(elf.entry).toBe(0x200123);
  expect(elf.interpreter).toBe("/lib64/ld-linux-x86-64.so.2");
  expect(elf.needed).toEqual(["libc.so.6", "libm.so.6"]);
  expect(elf.soname).toBeUndefined();
  expect(elf.dynamicLength).toBe(7);
  expect(elf.headers.map(({ type }) => type)).toEqual([3, 1, 2, 4]);
});

test("reads a library, for arm64", () => {
  const elf = readElf(makeElf({ machine: 183, interpreter: undefined, soname: "libx.so.1", needed: [] }));
  expect(elf).toMatchObject({ arch: "arm64", interpreter: undefined, soname: "libx.so.1", needed: [] });
});

test("reads the program that runs this test as the kernel does", () => {
  const elf = readElf(readFileSync(process.execPath));
  expect(elf.arch).toBe(process.arch as "x64");
  expect(elf.interpreter).toMatch(/\/ld-linux-/);
  expect(elf.needed).toContain("libc.so.6");
});

test.each([
  ["an empty file", Buffer.alloc(0), "not-elf"],
  ["a script", Buffer.from(`#!/bin/sh\n${" ".repeat(100)}`), "not-elf"],
  ["32 bits", patched((elf) => elf.writeUInt8(1, 4)), "wrong-arch"],
  ["big-endian", patched((elf) => elf.writeUInt8(2, 5)), "wrong-arch"],
  ["another processor", makeElf({ machine: 243 }), "wrong-arch"],
  ["program headers of another size", patched((elf) => elf.writeUInt16LE(32, 54)), "not-elf"],
  ["program headers beyond the end", patched((elf) => elf.writeBigUInt64LE(1n << 40n, 32)), "truncated"],
  ["an offset beyond all figures", patched((elf) => elf.writeBigUInt64LE(1n << 63n, 32)), "truncated"],
  [
    "a dynamic table without an end",
    patched((elf) => elf.fill(0x11, elf.length - 1040, elf.length - 1024)),
    "truncated",
  ],
  ["a file cut short", makeElf().subarray(0, 100), "truncated"],
])("refuses %s", (_what, bytes, code) => {
  expect(errorOf(() => readElf(bytes))?.code).toBe(code as BuildError["code"]);
});

test("any damage ends in a BuildError or in figures, never in another error", () => {
  const whole = makeElf();
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(damage, fc.nat(whole.length), (bytes, length) => {
      const elf = Buffer.from(whole);
      for (const [at, value] of bytes) elf[at] = value;
      const error = errorOf(() => readElf(elf.subarray(0, length)));
      expect(error === undefined || error instanceof BuildError).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

function patched(patch: (elf: Buffer) => void): Buffer {
  const elf = makeElf();
  patch(elf);
  return elf;
}

function errorOf(call: () => unknown): BuildError | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error as BuildError;
  }
}
