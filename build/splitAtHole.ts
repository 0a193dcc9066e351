import { archFacts } from "./arch.ts";
import { type Elf, type ProgramHeader, PT, sectionOf } from "./elf.ts";

/** A program in two: its file up to the zeros that only keep a place for variables, and what stands behind them. */
export interface Split {
  /** The file's beginning, with all headers as they were. It ends where the last PT_LOAD has its last byte that is not zero. */
  head: Buffer;
  /** The PT_LOAD that was split. */
  load: ProgramHeader;
  /** What `bun build --compile` embedded, to be loaded at `vaddr`, a multiple of the processor's page. */
  embedded: { bytes: Buffer; vaddr: number };
}

/**
 * `bun build --compile` puts what it embeds (section `.bun`) behind the variables of the last PT_LOAD, and so has to write
 * out those that begin as zero: 1.8 MB. Loaded as a segment of its own, at the address it has, it needs none of them.
 * What stands in no PT_LOAD (symbols, section headers) is left out: 50 kB.
 *
 * @returns undefined where the file does not have that shape
 */
export function splitAtHole(program: Buffer, elf: Elf): Split | undefined {
  const section = sectionOf(program, ".bun");
  const load = elf.headers.findLast(({ type }) => type === PT.LOAD);
  if (section === undefined || load === undefined) return undefined;
  const { offset, vaddr, size } = section;
  const isItsEnd =
    offset > load.offset &&
    offset - load.offset === vaddr - load.vaddr &&
    load.fileSize === load.memorySize &&
    offset + size <= load.offset + load.fileSize &&
    program.subarray(offset + size, load.offset + load.fileSize).every((byte) => byte === 0); // up to a whole page
  if (!isItsEnd || vaddr % archFacts[elf.arch].page !== 0) return undefined;
  let end = offset;
  while (end > load.offset && program[end - 1] === 0) end -= 1;
  return {
    head: program.subarray(0, end),
    load,
    embedded: { bytes: program.subarray(offset, offset + size), vaddr },
  };
}
