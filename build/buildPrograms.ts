import { createHash } from "node:crypto";
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Arch } from "./arch.ts";
import { baseBun } from "./baseBun.ts";
import { bundleScript } from "./bundleScript.ts";
import { compileBinary } from "./compileBinary.ts";
import { readElf } from "./elf.ts";
import { imageArchive } from "./imageArchive.ts";
import { imagesOf } from "./imageTable.ts";
import { inParallel } from "./inParallel.ts";
import { findLibc, type Libc, libraryRecord } from "./libc.ts";
import { Progress } from "./Progress.ts";
import type { Program } from "./programs.ts";
import { needsOf, selfContained } from "./selfContained.ts";
import { stubs } from "./stub/stubs.ts";
import type { TarEntry } from "./tar.ts";

/** What to build, and where to. Folders are absolute. */
export interface BuildPlan {
  root: string;
  out: string;
  arch: Arch;
  programs: Program[];
  /** Whether binaries carry their C library. */
  static: boolean;
  /** Whether images are written; only with `static`. */
  images: boolean;
  /** The release, for images and BUILD.json. */
  version: string;
}

interface FileRecord {
  file: string;
  bytes: number;
  sha256: string;
}

const LICENSES = ["NOTICE-glibc.md", "LGPL-2.1.txt"];
/** Two programs at a time: compiling one takes one core for a second, and about 350 MB of memory. */
const AT_ONCE = 2;

/**
 * Builds every program of the plan into `out`: `<name>.mjs`, `plain/<name>` (uses the machine's C library), `<name>`
 * (starts with nothing else on the disk), `images/<name>.tar`; `licenses/`, and BUILD.json, which tells what is in them.
 * The same sources, Bun and C library give the same bytes.
 *
 * @throws BuildError
 */
export async function buildPrograms(plan: BuildPlan): Promise<void> {
  const bun = await baseBun(plan.root, plan.arch);
  const licenses = LICENSES.map((name) => ({
    name,
    content: readFileSync(join(plan.root, "build", "licenses", name)),
  }));
  const files: FileRecord[] = [];
  let libc: Promise<Libc> | undefined;

  const stepsOf = (program: Program) => (program.script ? 1 : 0) + 1 + (plan.static ? 1 : 0) + (plan.images ? 1 : 0);
  const progress = new Progress(plan.programs.reduce((sum, program) => sum + stepsOf(program), 0));

  await inParallel(AT_ONCE, plan.programs, async ({ name, entry, script }) => {
    const plain = join(plan.out, plan.static ? "plain" : "", name);
    if (script)
      await progress.step(`${name}: script`, async () => {
        const file = join(plan.out, `${name}.mjs`);
        await bundleScript(plan.root, entry, file);
        chmodSync(file, 0o755);
        return told(files, plan.out, file, [readFileSync(file)]);
      });
    await progress.step(`${name}: binary`, async () => {
      await compileBinary(plan.arch, bun, entry, plain);
      return plan.static ? undefined : told(files, plan.out, plain, [readFileSync(plain)]);
    });
    if (!plan.static) return;

    let binary: Buffer = Buffer.alloc(0);
    await progress.step(`${name}: static`, async () => {
      const program = readFileSync(plain);
      libc ??= findLibc(plan.arch, needsOf(readElf(program)));
      const { linker, libraries } = await libc;
      binary = selfContained(program, Buffer.from(stubs[plan.arch].base64, "base64"), linker, libraries);
      const file = join(plan.out, name);
      write(file, [binary], 0o755);
      return told(files, plan.out, file, [binary]);
    });
    if (!plan.images) return;

    await progress.step(`${name}: image`, async () => {
      const { images, dataOwner } = imagesOf(name, plan.version);
      const layer: TarEntry[] = [
        { name, content: [binary], mode: 0o755 },
        ...(dataOwner === undefined ? [] : [{ name: "data/", owner: dataOwner }]),
        { name: "licenses/" },
        ...licenses.map((license) => ({ name: `licenses/${license.name}`, content: [license.content] })),
        { name: "tmp/", mode: 0o1777 },
      ];
      const archive = imageArchive(plan.arch, layer, images);
      const file = join(plan.out, "images", `${name}.tar`);
      write(file, archive, 0o644);
      return told(files, plan.out, file, archive);
    });
  });

  for (const license of licenses) write(join(plan.out, "licenses", license.name), [license.content], 0o644);
  const carried = await libc;
  const record = {
    version: plan.version,
    arch: plan.arch,
    bun: process.versions.bun,
    ...(carried && {
      libc: { version: carried.version, files: [carried.linker, ...carried.libraries].map(libraryRecord) },
    }),
    ...(plan.static && { stub: { compiler: stubs[plan.arch].compiler } }),
    files: files.sort((a, b) => (a.file < b.file ? -1 : 1)),
  };
  write(join(plan.out, "BUILD.json"), [Buffer.from(`${JSON.stringify(record, null, 2)}\n`)], 0o644);
}

/** Notes a file for BUILD.json; its size, for the progress line. */
function told(files: FileRecord[], out: string, file: string, parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  files.push({ file: file.slice(out.length + 1), bytes, sha256: hash.digest("hex") });
  return bytes < 10_000_000 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Writes a new file and moves it into place: the one there may be a program that runs. */
function write(file: string, parts: Uint8Array[], mode: number): void {
  mkdirSync(dirname(file), { recursive: true });
  const scratch = `${file}.new`;
  const handle = openSync(scratch, "w", mode);
  try {
    for (const part of parts) for (let at = 0; at < part.length; ) at += writeSync(handle, part, at);
  } finally {
    closeSync(handle);
  }
  chmodSync(scratch, mode);
  renameSync(scratch, file);
}
