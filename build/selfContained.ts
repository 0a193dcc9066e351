import { archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";
import { type Elf, PT, readElf } from "./elf.ts";
import { lz4Block } from "./lz4Block.ts";
import { splitAtHole } from "./splitAtHole.ts";

/** The limits of build/stub/stub.c: it works with tables of these fixed sizes. */
export const limits = { libraries: 8, programHeaders: 32, dynamicEntries: 128 } as const;

/** PT_INTERP turned into a type that the kernel passes over; the stub turns it back for the dynamic linker. */
export const PT_PARKED_INTERP = 0x6fffff00;

const MAGIC = "QUAYSTUB";
const CONFIG_SIZE = 256;
const PF_READ_EXECUTE = 5;

/** A file of the C library that the binary will carry: its name as DT_NEEDED spells it, and its bytes. */
export interface Library {
  name: string;
  bytes: Buffer;
}

/** What a program needs to start: the dynamic linker, and the libraries it names, in order. Names without folder. */
export interface Needs {
  linker: string;
  libraries: string[];
}

/**
 * Which files a dynamic program must carry to start alone.
 *
 * @throws BuildError `no-interpreter` (a static program, or a library), `musl`, `too-many-libraries`
 */
export function needsOf(program: Elf): Needs {
  if (program.headers.some(({ type }) => type === PT_PARKED_INTERP))
    throw new BuildError("already-self-contained", "this binary went through the static step before");
  const linker = program.interpreter?.split("/").pop();
  if (!linker) throw new BuildError("no-interpreter", "not a dynamic program: it asks for no dynamic linker");
  if (linker.startsWith("ld-musl"))
    throw new BuildError(
      "musl",
      "this Bun is built for musl; the static step carries glibc and needs Bun's glibc build: build on a glibc host, or with --no-static",
    );
  const libraries = program.needed.filter((name) => name !== linker);
  if (libraries.length > limits.libraries)
    throw new BuildError(
      "too-many-libraries",
      `${libraries.length} libraries needed, at most ${limits.libraries} can be carried`,
    );
  return { linker, libraries };
}

/**
 * The same program as one file that starts with nothing else on the disk: build/stub/README.md tells how it works.
 * Appends one page-aligned, read-only, executable segment (stub, dynamic linker, libraries), turns PT_NOTE into its
 * program header, parks PT_INTERP, and lets the entry point to the stub. `program` itself is not changed.
 *
 * @param program a dynamic glibc executable, such as `bun build --compile` makes
 * @param stub the stub's code for the program's processor (build/stub/stubs.ts)
 * @param linker the dynamic linker named by {@link needsOf}; `libraries` likewise, in that order
 * @throws BuildError `note-order`, `too-many-headers`, `too-many-libraries`, `dynamic-too-long`, `bad-stub`,
 *   `already-self-contained`, `library-mismatch`, and those of {@link readElf}
 */
export function selfContained(program: Buffer, stub: Buffer, linker: Library, libraries: Library[]): Buffer {
  const elf = readElf(program);
  const needs = needsOf(elf);
  checkCarried(elf, needs, linker, libraries);
  const { interpreter, note, freeVaddr } = placement(elf, libraries.length);
  const page = archFacts[elf.arch].page;

  const split = splitAtHole(program, elf);
  const segmentVaddr = split?.embedded.vaddr ?? freeVaddr;
  const segment = new Segment(stub, split?.embedded.bytes);
  const carried = [linker, ...libraries].flatMap(({ bytes }) => {
    const packed = packedOf(bytes);
    return [segment.append(packed), packed.length, bytes.length];
  });
  segment.configure([segmentVaddr + segment.stubAt, elf.entry, interpreter.vaddr, libraries.length, ...carried]);

  const head = split?.head ?? program;
  const segmentOffset = roundUp(head.length, page);
  const out = Buffer.concat([head, Buffer.alloc(segmentOffset - head.length), ...segment.parts]);
  if (split) {
    const { load, embedded } = split;
    writeU64(out, load.at + 32, head.length - load.offset);
    writeU64(out, load.at + 40, embedded.vaddr - load.vaddr);
    withoutSections(out);
  }
  out.writeUInt32LE(PT_PARKED_INTERP, interpreter.at);
  out.writeUInt32LE(PT.LOAD, note.at);
  out.writeUInt32LE(PF_READ_EXECUTE, note.at + 4);
  const figures = [segmentOffset, segmentVaddr, segmentVaddr, segment.length, segment.length, page];
  for (const [index, figure] of figures.entries()) writeU64(out, note.at + 8 + index * 8, figure);
  writeU64(out, 24, segmentVaddr + segment.stubAt); // e_entry
  return out;
}

const packedBefore = new WeakMap<Buffer, Buffer>();

/** The file as the stub unpacks it; every program of a build carries the same files. */
function packedOf(bytes: Buffer): Buffer {
  const packed = packedBefore.get(bytes) ?? lz4Block(bytes);
  packedBefore.set(bytes, packed);
  return packed;
}

/** The carried files are the ones asked for, for the same processor, and need nothing beyond themselves. */
function checkCarried(elf: Elf, needs: Needs, linker: Library, libraries: Library[]): void {
  const given = [linker, ...libraries];
  const wanted = [needs.linker, ...needs.libraries];
  if (given.length !== wanted.length || given.some(({ name }, index) => name !== wanted[index]))
    throw new BuildError(
      "library-mismatch",
      `carrying ${given.map(({ name }) => name).join(", ")}, needed ${wanted.join(", ")}`,
    );
  for (const { name, bytes } of given) {
    const library = readElf(bytes);
    if (library.arch !== elf.arch)
      throw new BuildError("library-mismatch", `${name} is for ${library.arch}, not ${elf.arch}`);
    // The linker matches what follows by SONAME: one that differs would be looked for on the disk again.
    if (library.soname !== name)
      throw new BuildError("library-mismatch", `${name} calls itself ${library.soname ?? "nothing"}`);
    const missing = library.needed.find((other) => !wanted.includes(other));
    if (missing !== undefined)
      throw new BuildError("library-mismatch", `${name} needs ${missing}, which is not carried`);
  }
}

/** Finds the headers to rewrite, and the address for the new segment: a page's gap above everything else. */
function placement(elf: Elf, libraryCount: number) {
  if (elf.headers.length > limits.programHeaders)
    throw new BuildError(
      "too-many-headers",
      `${elf.headers.length} program headers, at most ${limits.programHeaders} are handled`,
    );
  if (elf.dynamicLength + libraryCount > limits.dynamicEntries)
    throw new BuildError(
      "dynamic-too-long",
      `${elf.dynamicLength} dynamic entries and ${libraryCount} libraries, at most ${limits.dynamicEntries} together`,
    );
  const interpreter = elf.headers.find(({ type }) => type === PT.INTERP);
  if (interpreter === undefined) throw new BuildError("no-interpreter", "no PT_INTERP");
  const loads = elf.headers.filter(({ type }) => type === PT.LOAD);
  const last = loads.at(-1);
  const note = elf.headers.findLast(({ type }) => type === PT.NOTE);
  // The kernel maps PT_LOADs in order and wants ascending addresses, so the new one must be the last of them.
  if (last === undefined || note === undefined || note.at < last.at)
    throw new BuildError(
      "note-order",
      "no PT_NOTE after the last PT_LOAD to turn into a program header for the new segment",
    );
  const page = archFacts[elf.arch].page;
  const top = Math.max(...loads.map(({ vaddr, memorySize }) => vaddr + memorySize));
  return { interpreter, note, freeVaddr: roundUp(top, page) + page };
}

/** Takes the section headers' place and number out of the ELF header: they told of the file as it was. */
function withoutSections(elf: Buffer): void {
  writeU64(elf, 40, 0); // e_shoff
  elf.writeUInt16LE(0, 60); // e_shnum
  elf.writeUInt16LE(0, 62); // e_shstrndx
}

/** The segment under construction: what comes first, a copy of the stub, then files; each at a multiple of 64 bytes. */
class Segment {
  readonly parts: Buffer[];
  length: number;
  /** Where the stub stands in it; the files' places count from there. */
  readonly stubAt: number;
  readonly #code: Buffer;
  readonly #config: number;

  constructor(stub: Buffer, first: Buffer = Buffer.alloc(0)) {
    this.#code = Buffer.from(stub);
    this.#config = stub.indexOf(MAGIC);
    const fits = this.#config >= 0 && this.#config % 16 === 0 && this.#config + CONFIG_SIZE <= stub.length;
    if (!fits || stub.indexOf(MAGIC, this.#config + 1) >= 0)
      throw new BuildError("bad-stub", "the stub does not hold exactly one configuration block");
    this.stubAt = roundUp(first.length, 64);
    this.parts = [first, Buffer.alloc(this.stubAt - first.length), this.#code];
    this.length = this.stubAt + stub.length;
  }

  /** Its place, counted from the stub. */
  append(bytes: Buffer): number {
    const at = roundUp(this.length, 64);
    this.parts.push(Buffer.alloc(at - this.length), bytes);
    this.length = at + bytes.length;
    return at - this.stubAt;
  }

  /** Writes `struct config` of stub.c, behind its magic word. */
  configure(figures: number[]): void {
    if (8 + figures.length * 8 > CONFIG_SIZE) throw new BuildError("bad-stub", "the configuration block is full");
    for (const [index, figure] of figures.entries()) writeU64(this.#code, this.#config + 8 + index * 8, figure);
  }
}

function writeU64(bytes: Buffer, at: number, value: number): void {
  bytes.writeBigUInt64LE(BigInt(value), at);
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
