import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";

/** Program header types (System V gABI) that the static step reads or writes. */
export const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, NOTE: 4 } as const;

const DT = { NULL: 0, NEEDED: 1, STRTAB: 5, SONAME: 14 } as const;
const HEADER_SIZE = 56;
const DYNAMIC_SIZE = 16;
const SECTION_SIZE = 64;

/** One program header; `at` is where it stands in the file, all figures in bytes. */
export interface ProgramHeader {
  at: number;
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  fileSize: number;
  memorySize: number;
}

/** What the static step needs to know about an ELF file. */
export interface Elf {
  arch: Arch;
  /** Virtual address where it starts to run. */
  entry: number;
  headers: ProgramHeader[];
  /** Path of the dynamic linker it asks for; absent in a library and in a static program. */
  interpreter: string | undefined;
  /** DT_NEEDED, in order. */
  needed: string[];
  soname: string | undefined;
  /** Entries of the dynamic table, with the DT_NULL that ends it; 0 if there is none. */
  dynamicLength: number;
}

/**
 * Reads a 64-bit little-endian ELF file (System V gABI, chapters 4 and 5). Every offset in it is checked against the file.
 *
 * @throws BuildError `not-elf`, `wrong-arch`, `truncated`
 * @example readElf(readFileSync("dist/plain/discoverd")).needed // ["libc.so.6", ...]
 */
export function readElf(bytes: Buffer): Elf {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) throw new BuildError("not-elf", "not an ELF file");
  if (bytes[4] !== 2 || bytes[5] !== 1) throw new BuildError("wrong-arch", "not a 64-bit little-endian ELF file");
  const machine = bytes.readUInt16LE(18);
  const arch = (Object.keys(archFacts) as Arch[]).find((name) => archFacts[name].machine === machine);
  if (arch === undefined) throw new BuildError("wrong-arch", `ELF machine ${machine} is neither x64 nor arm64`);
  const read = reader(bytes);
  const headers = programHeaders(read, bytes.readUInt16LE(54));
  const dynamic = dynamicTable(read, headers);
  const strings = dynamic.find((entry) => entry.tag === DT.STRTAB);
  const name = (offset: number): string => {
    if (strings === undefined) throw new BuildError("truncated", "the dynamic table has names but no string table");
    return read.text(fileOffset(headers, strings.value + offset));
  };
  const interpreter = headers.find((header) => header.type === PT.INTERP);
  const soname = dynamic.find((entry) => entry.tag === DT.SONAME);
  return {
    arch,
    entry: read.u64(24),
    headers,
    interpreter: interpreter && read.text(interpreter.offset),
    needed: dynamic.filter((entry) => entry.tag === DT.NEEDED).map((entry) => name(entry.value)),
    soname: soname && name(soname.value),
    dynamicLength: dynamic.length,
  };
}

/** Where a section stands in the file and in memory, and its bytes in the file. */
export interface Section {
  offset: number;
  vaddr: number;
  size: number;
}

/**
 * The first section called `name` of a 64-bit ELF file; undefined where there is none, or no section headers at all.
 *
 * @throws BuildError `truncated`
 */
export function sectionOf(bytes: Buffer, name: string): Section | undefined {
  const read = reader(bytes);
  const start = read.u64(40);
  const count = read.u16(60);
  if (start === 0 || count === 0) return undefined;
  const at = (index: number) => start + index * SECTION_SIZE;
  const names = read.u64(at(read.u16(62)) + 24);
  for (let index = 0; index < count; index += 1)
    if (read.text(names + read.u32(at(index))) === name)
      return { vaddr: read.u64(at(index) + 16), offset: read.u64(at(index) + 24), size: read.u64(at(index) + 32) };
  return undefined;
}

interface Reader {
  u16(at: number): number;
  u32(at: number): number;
  /** Throws beyond 2^53: no file or address space here is that large. */
  u64(at: number): number;
  /** Up to the next NUL. */
  text(at: number): string;
}

function reader(bytes: Buffer): Reader {
  const within = (at: number, size: number): number => {
    if (at < 0 || at + size > bytes.length)
      throw new BuildError("truncated", `the ELF file ends before offset ${at + size}`);
    return at;
  };
  return {
    u16: (at) => bytes.readUInt16LE(within(at, 2)),
    u32: (at) => bytes.readUInt32LE(within(at, 4)),
    u64: (at) => {
      const value = bytes.readBigUInt64LE(within(at, 8));
      if (value > BigInt(Number.MAX_SAFE_INTEGER))
        throw new BuildError("truncated", `ELF figure out of range: ${value}`);
      return Number(value);
    },
    text: (at) => {
      const end = bytes.indexOf(0, within(at, 1));
      if (end < 0) throw new BuildError("truncated", `unterminated ELF string at ${at}`);
      return bytes.toString("latin1", at, end);
    },
  };
}

function programHeaders(read: Reader, size: number): ProgramHeader[] {
  const count = read.u16(56);
  if (count > 0 && size !== HEADER_SIZE)
    throw new BuildError("not-elf", `program headers of ${size} bytes instead of 56`);
  const start = read.u64(32);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * HEADER_SIZE;
    return {
      at,
      type: read.u32(at),
      flags: read.u32(at + 4),
      offset: read.u64(at + 8),
      vaddr: read.u64(at + 16),
      fileSize: read.u64(at + 32),
      memorySize: read.u64(at + 40),
    };
  });
}

function dynamicTable(read: Reader, headers: ProgramHeader[]): { tag: number; value: number }[] {
  const header = headers.find(({ type }) => type === PT.DYNAMIC);
  if (header === undefined) return [];
  const entries: { tag: number; value: number }[] = [];
  for (let at = header.offset; at < header.offset + header.fileSize; at += DYNAMIC_SIZE) {
    // Tags may be negative or above 2^53 (processor-specific ones); those asked for here are small.
    const high = read.u32(at + 4);
    const tag = high === 0 ? read.u32(at) : -1;
    entries.push({ tag, value: tag === -1 ? 0 : read.u64(at + 8) });
    if (tag === DT.NULL) return entries;
  }
  throw new BuildError("truncated", "the dynamic table has no end");
}

/** Where the byte at virtual address `vaddr` stands in the file. */
function fileOffset(headers: ProgramHeader[], vaddr: number): number {
  const load = headers.find((h) => h.type === PT.LOAD && vaddr >= h.vaddr && vaddr < h.vaddr + h.fileSize);
  if (load === undefined) throw new BuildError("truncated", `no part of the file is loaded at address ${vaddr}`);
  return vaddr - load.vaddr + load.offset;
}
