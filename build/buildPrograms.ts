import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Arch } from "./arch.ts";
import { baseBun } from "./baseBun.ts";
import { type BuildRecord, isThere, mergeBuildRecord, readBuildRecord, sameMaking } from "./buildRecord.ts";
import { bundleScript } from "./bundleScript.ts";
import { compileBinary } from "./compileBinary.ts";
import { readElf } from "./elf.ts";
import { imageArchive } from "./imageArchive.ts";
import { imagesOf } from "./imageTable.ts";
import { inParallel } from "./inParallel.ts";
import { findLibc, type Libc, libcRecord } from "./libc.ts";
import { Output } from "./Output.ts";
import { Progress } from "./Progress.ts";
import { packageLicenses } from "./packageLicenses.ts";
import type { Program } from "./programs.ts";
import { needsOf, selfContained } from "./selfContained.ts";
import { sourceHash } from "./sourceHash.ts";
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
  /** Leave alone what was built from the same sources before. */
  ifChanged: boolean;
  /** The release, for images and BUILD.json. */
  version: string;
}

/** Two programs at a time: compiling one takes one core for a second, and about 350 MB of memory. */
const AT_ONCE = 2;

/**
 * Builds every program of the plan into `out`: `<name>.mjs`, `plain/<name>` (uses the machine's C library), `<name>`
 * (starts with nothing else on the disk), `images/<name>.tar`; `licenses/`, and BUILD.json, which tells what is in them.
 * The same sources, Bun and C library give the same bytes. The process's working folder becomes `root`.
 *
 * @throws BuildError
 */
export async function buildPrograms(plan: BuildPlan): Promise<void> {
  const { arch, version } = plan;
  // Bun names its chunks by the sources' paths as seen from the working folder; its option `root` does not change that.
  process.chdir(plan.root);
  const bun = await baseBun(plan.root, arch);
  const making = { version, arch, bun: process.versions.bun ?? "", sources: sourceHash(plan.root) };
  const last = readBuildRecord(plan.out);
  const unchanged = plan.ifChanged && last ? await upToDate(plan, last, making) : new Set<string>();
  const programs = plan.programs.filter(({ name }) => !unchanged.has(name));
  const progress = new Progress(programs.reduce((sum, program) => sum + filesOf(plan, program).length, 0));
  if (unchanged.size > 0) progress.tell(`unchanged: ${[...unchanged].join(", ")}`);
  if (programs.length === 0) return;

  // What an ended build left must not pass for a finished one.
  rmSync(join(plan.out, "BUILD.json"), { force: true });
  const output = new Output(plan.out);
  const licenses = licenseFiles(plan.root);
  for (const license of licenses) output.write(license.name, license.content);
  let libc: Promise<Libc> | undefined;
  await inParallel(AT_ONCE, programs, async (program) => {
    if (program.script) await progress.step(`${program.name}: script`, () => makeScript(plan, program, output));
    const plain = join(plan.out, plainName(plan, program));
    await progress.step(`${program.name}: binary`, async () => {
      await compileBinary(arch, bun, program.entry, plain);
      return output.note(plainName(plan, program));
    });
    if (!plan.static) return;
    const made: Buffer[] = [];
    await progress.step(`${program.name}: static`, async () => {
      const compiled = readFileSync(plain);
      libc ??= findLibc(arch, needsOf(readElf(compiled)));
      const { linker, libraries } = await libc;
      made.push(selfContained(compiled, Buffer.from(stubs[arch].base64, "base64"), linker, libraries));
      return output.write(program.name, made, 0o755);
    });
    if (plan.images)
      await progress.step(`${program.name}: image`, () => makeImage(plan, program, made, licenses, output));
  });

  const carried = await libc;
  const record = { ...making, ...(carried && { libc: libcRecord(carried) }), files: output.files };
  output.write("BUILD.json", [Buffer.from(`${JSON.stringify(mergeBuildRecord(last, record, plan.out), null, 2)}\n`)]);
}

/** What is said about software by others, in dist/licenses and in each image. */
function licenseFiles(root: string): { name: string; content: Buffer[] }[] {
  const committed = ["NOTICE.md", "LGPL-2.1.txt"].map((name) => ({
    name: `licenses/${name}`,
    content: [readFileSync(join(root, "build", "licenses", name))],
  }));
  return [...committed, { name: "licenses/packages.txt", content: [Buffer.from(packageLicenses(root))] }];
}

async function makeScript(plan: BuildPlan, { name, entry }: Program, output: Output): Promise<string> {
  return output.write(`${name}.mjs`, [await bundleScript(plan.root, entry)], 0o755);
}

async function makeImage(plan: BuildPlan, { name }: Program, binary: Buffer[], licenses: TarEntry[], output: Output) {
  const { images, data } = imagesOf(name, plan.version);
  const layer: TarEntry[] = [
    { name, content: binary, mode: 0o755 },
    ...(data ? folders(data.path, data.owner) : []),
    { name: "licenses/" },
    ...licenses,
    { name: "tmp/", mode: 0o1777 },
  ];
  return output.write(`images/${name}.tar`, imageArchive(plan.arch, layer, images));
}

/** A folder and those above it; only the last is not root's. */
function folders(path: string, owner: number): TarEntry[] {
  const words = path.split("/").slice(1);
  return words.map((_, index) => ({
    name: `${words.slice(0, index + 1).join("/")}/`,
    owner: index === words.length - 1 ? owner : 0,
  }));
}

/** The files that a program becomes, relative to the output folder: one for each step. */
function filesOf(plan: BuildPlan, program: Program): string[] {
  return [
    ...(program.script ? [`${program.name}.mjs`] : []),
    plainName(plan, program),
    ...(plan.static ? [program.name] : []),
    ...(plan.images ? [`images/${program.name}.tar`] : []),
  ];
}

function plainName(plan: BuildPlan, { name }: Program): string {
  return plan.static ? `plain/${name}` : name;
}

/** Names of the programs whose files all stand there, made in the way that this build would make them. */
async function upToDate(
  plan: BuildPlan,
  last: BuildRecord,
  making: Omit<BuildRecord, "files" | "libc">,
): Promise<Set<string>> {
  const [linker, ...libraries] = last.libc?.files.map(({ name }) => name) ?? [];
  if ((linker !== undefined) !== plan.static) return new Set();
  const libc = linker === undefined ? {} : { libc: libcRecord(await findLibc(plan.arch, { linker, libraries })) };
  if (!sameMaking(last, { ...making, ...libc })) return new Set();
  const there = new Set(last.files.filter((file) => isThere(plan.out, file)).map(({ file }) => file));
  const whole = plan.programs.filter((program) => filesOf(plan, program).every((file) => there.has(file)));
  return new Set(whole.map(({ name }) => name));
}
