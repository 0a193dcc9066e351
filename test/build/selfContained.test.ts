import { expect, test } from "bun:test";
import { BuildError } from "../../build/BuildError.ts";
import { readElf, sectionOf } from "../../build/elf.ts";
import { type Library, limits, needsOf, PT_PARKED_INTERP, selfContained } from "../../build/selfContained.ts";
import { type ElfShape, makeElf } from "./fixtures/makeElf.ts";
import { unpackLz4 } from "./fixtures/unpackLz4.ts";

const config = Buffer.concat([Buffer.from("QUAYSTUB"), Buffer.alloc(248)]);
const stub = Buffer.concat([Buffer.alloc(32, 0x90), config]);
const LINKER = "ld-linux-x86-64.so.2";

function library(name: string, shape: ElfShape = {}): Library {
  return { name, bytes: makeElf({ interpreter: undefined, soname: name, needed: [], ...shape }) };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `lib${index}.so.1`);
}

/** The step on a made-up program, with exactly the libraries that it asks for. */
function contained(shape: ElfShape): Buffer {
  return selfContained(
    makeElf(shape),
    stub,
    library(LINKER),
    (shape.needed ?? ["libc.so.6"]).map((name) => library(name)),
  );
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof BuildError) return error.code;
    throw error;
  }
}

test("the new segment carries the stub, the linker and the libraries, where its configuration says", () => {
  const program = makeElf({ needed: ["libc.so.6", LINKER, "libm.so.6"] });
  const before = Buffer.from(program);
  const carried = [
    library(LINKER),
    library("libc.so.6", { needed: [LINKER] }),
    library("libm.so.6", { needed: ["libc.so.6"] }),
  ];
  const [linker, ...libraries] = carried as [Library, Library, Library];
  const out = selfContained(program, stub, linker, libraries);
  expect(program.equals(before)).toBe(true);

  const elf = readElf(out);
  expect(elf.headers.map(({ type }) => type)).toEqual([PT_PARKED_INTERP, 1, 2, 1]);
  const [, load, , segment] = elf.headers;
  if (!load || !segment) throw new Error("headers are missing");
  expect(segment.flags).toBe(5);
  expect(segment.offset % 0x1000).toBe(0);
  expect(segment.vaddr % 0x1000).toBe(0);
  expect(segment.vaddr).toBeGreaterThan(load.vaddr + load.memorySize + 0xfff);
  expect(segment.fileSize).toBe(segment.memorySize);
  expect(segment.offset + segment.fileSize).toBe(out.length);
  expect(elf.entry).toBe(segment.vaddr);

  const bytes = out.subarray(segment.offset);
  const at = bytes.indexOf("QUAYSTUB");
  const figure = (index: number) => Number(bytes.readBigUInt64LE(at + 8 + index * 8));
  expect(bytes.subarray(0, 32)).toEqual(stub.subarray(0, 32));
  expect([figure(0), figure(1), figure(2)]).toEqual([segment.vaddr, 0x200123, readElf(program).headers[0]?.vaddr ?? 0]);
  expect(figure(3)).toBe(2);
  for (const [index, { bytes: content }] of carried.entries()) {
    const [offset, packedSize, size] = [0, 1, 2].map((part) => figure(4 + index * 3 + part)) as [
      number,
      number,
      number,
    ];
    expect(unpackLz4(bytes.subarray(offset, offset + packedSize), size).equals(content)).toBe(true);
    expect(offset % 64).toBe(0);
  }
});

test("what Bun embeds is loaded where it was, without the zeros before it and the section headers behind it", () => {
  const embedded = { at: 0x5000, bytes: Buffer.from("the program\0") };
  const program = makeElf({ embedded });
  const before = Buffer.from(program);
  const libc = library("libc.so.6");
  const out = selfContained(program, stub, library(LINKER), [libc]);
  expect(program.equals(before)).toBe(true);
  expect(out.length).toBeLessThan(0x3000);

  const [, load, , segment] = readElf(out).headers;
  if (!load || !segment) throw new Error("headers are missing");
  // The same memory as before, byte by byte, but for what the step is about: the headers' part, and what is new behind.
  const memory = Buffer.alloc(0x5000);
  out.copy(memory, load.offset, load.offset, load.offset + load.fileSize);
  expect(memory.subarray(0x400).equals(before.subarray(0x400, 0x5000))).toBe(true);
  expect(load.vaddr + load.memorySize).toBe(segment.vaddr);
  expect(segment.vaddr).toBe(load.vaddr + embedded.at);
  expect([segment.offset % 0x1000, segment.fileSize]).toEqual([0, segment.memorySize]);
  expect(segment.offset + segment.fileSize).toBe(out.length);
  const bytes = out.subarray(segment.offset);
  expect(bytes.subarray(0, embedded.bytes.length).equals(embedded.bytes)).toBe(true);

  // The stub follows, and its figures count from itself.
  const stubAt = 64;
  expect(readElf(out).entry).toBe(segment.vaddr + stubAt);
  expect(bytes.subarray(stubAt, stubAt + 32)).toEqual(stub.subarray(0, 32));
  const figure = (index: number) => Number(bytes.readBigUInt64LE(bytes.indexOf("QUAYSTUB") + 8 + index * 8));
  expect(figure(0)).toBe(segment.vaddr + stubAt);
  const libcAt = stubAt + figure(7);
  expect(unpackLz4(bytes.subarray(libcAt, libcAt + figure(8)), figure(9)).equals(libc.bytes)).toBe(true);
  expect([sectionOf(program, ".bun")?.offset, sectionOf(out, ".bun")]).toEqual([embedded.at, undefined]);
});

test("a program whose embedded part is not the aligned end of the last PT_LOAD stays whole", () => {
  const unaligned = makeElf({ embedded: { at: 0x5010, bytes: Buffer.from("the program") } });
  const followed = makeElf({ embedded: { at: 0x5000, bytes: Buffer.from("the program") } });
  followed.write("x", 0x5000 + 12, "latin1");
  for (const program of [unaligned, followed]) {
    const out = selfContained(program, stub, library(LINKER), [library("libc.so.6")]);
    expect(out.subarray(0x400, program.length).equals(program.subarray(0x400))).toBe(true);
    expect(sectionOf(out, ".bun")).toEqual(sectionOf(program, ".bun"));
  }
});

test("arm64 kernels may use pages of 64 KiB", () => {
  const arm = { machine: 183 };
  const program = makeElf({ ...arm, interpreter: "/lib/ld-linux-aarch64.so.1", needed: [] });
  const out = readElf(selfContained(program, stub, library("ld-linux-aarch64.so.1", arm), []));
  const segment = out.headers.at(-1);
  expect([segment?.type, (segment?.offset ?? 1) % 0x10000, (segment?.vaddr ?? 1) % 0x10000]).toEqual([1, 0, 0]);
});

test("the limits of the stub are held, and what is just within them is built", () => {
  expect(codeOf(() => contained({ needed: names(limits.libraries) }))).toBeUndefined();
  expect(codeOf(() => contained({ needed: names(limits.libraries + 1) }))).toBe("too-many-libraries");
  // The made-up program has four program headers, and with one library three dynamic entries.
  expect(codeOf(() => contained({ extraHeaders: limits.programHeaders - 4 }))).toBeUndefined();
  expect(codeOf(() => contained({ extraHeaders: limits.programHeaders - 3 }))).toBe("too-many-headers");
  expect(codeOf(() => contained({ extraDynamic: limits.dynamicEntries - 4 }))).toBeUndefined();
  expect(codeOf(() => contained({ extraDynamic: limits.dynamicEntries - 3 }))).toBe("dynamic-too-long");
});

test("PT_NOTE must stand after the last PT_LOAD", () => {
  expect(codeOf(() => contained({ note: "first" }))).toBe("note-order");
  expect(codeOf(() => contained({ note: "none" }))).toBe("note-order");
});

test("the stub must hold one configuration block, aligned and whole", () => {
  const step = (code: Buffer) => codeOf(() => selfContained(makeElf(), code, library(LINKER), [library("libc.so.6")]));
  expect(step(stub)).toBeUndefined();
  expect(step(Buffer.alloc(400))).toBe("bad-stub");
  expect(step(stub.subarray(0, -1))).toBe("bad-stub");
  expect(step(Buffer.concat([Buffer.alloc(8), config]))).toBe("bad-stub");
  expect(step(Buffer.concat([stub, config]))).toBe("bad-stub");
});

test("only what the program asks for is carried, and nothing may be missing", () => {
  const step = (linker: Library, ...libraries: Library[]) =>
    codeOf(() => selfContained(makeElf(), stub, linker, libraries));
  const libc = library("libc.so.6");
  expect(step(library(LINKER))).toBe("library-mismatch");
  expect(step(library(LINKER), libc, library("libm.so.6"))).toBe("library-mismatch");
  expect(step(library("ld-linux.so.2"), libc)).toBe("library-mismatch");
  expect(step(library(LINKER), library("libc.so.6", { soname: "libc.so.7" }))).toBe("library-mismatch");
  expect(step(library(LINKER), library("libc.so.6", { machine: 183 }))).toBe("library-mismatch");
  expect(step(library(LINKER), library("libc.so.6", { needed: ["libgcc_s.so.1"] }))).toBe("library-mismatch");
});

test("needs: files without folder, the linker apart", () => {
  const elf = readElf(makeElf({ needed: ["libc.so.6", LINKER, "libdl.so.2"] }));
  expect(needsOf(elf)).toEqual({ linker: LINKER, libraries: ["libc.so.6", "libdl.so.2"] });
});

test.each([
  ["musl", { interpreter: "/lib/ld-musl-x86_64.so.1" }],
  ["no-interpreter", { interpreter: undefined }],
  ["no-interpreter", { interpreter: "" }],
])("needs: %s", (code, shape) => {
  expect(codeOf(() => needsOf(readElf(makeElf(shape))))).toBe(code);
});

test("a second time is refused", () => {
  const once = contained({});
  expect(codeOf(() => selfContained(once, stub, library(LINKER), [library("libc.so.6")]))).toBe(
    "already-self-contained",
  );
});
