import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const file = z.object({ file: z.string(), bytes: z.number(), sha256: z.string() });
const libraryFile = z.object({ name: z.string(), bytes: z.number(), sha256: z.string() });

const buildRecord = z.object({
  /** The release, from package.json. */
  version: z.string(),
  arch: z.string(),
  /** Version of Bun inside. */
  bun: z.string(),
  /** {@link sourceHash} of what it was built from. */
  sources: z.string(),
  /** The C library that the binaries carry; absent with `--no-static`. */
  libc: z.object({ version: z.string(), files: z.array(libraryFile) }).optional(),
  /** What was written, relative to the output folder, by name. */
  files: z.array(file),
});

/** BUILD.json in the output folder: what was built, from what, and which foreign files are in it. */
export type BuildRecord = z.infer<typeof buildRecord>;

/** One written file, with its size and SHA-256 (hex). */
export type FileRecord = z.infer<typeof file>;

/** The record in `out`; undefined if there is none, or one that this build does not understand. */
export function readBuildRecord(out: string): BuildRecord | undefined {
  const path = join(out, "BUILD.json");
  if (!existsSync(path)) return undefined;
  try {
    return buildRecord.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined; // of another release, or cut short: built again
  }
}

/**
 * The record after a build: the files now written, and those of the last one that were made in the very same way and
 * are still there.
 */
export function mergeBuildRecord(last: BuildRecord | undefined, now: BuildRecord, out: string): BuildRecord {
  const written = new Set(now.files.map((one) => one.file));
  const kept =
    last && sameMaking(last, now) ? last.files.filter((one) => !written.has(one.file) && isThere(out, one)) : [];
  return { ...now, files: [...kept, ...now.files].sort((a, b) => (a.file < b.file ? -1 : 1)) };
}

/** Whether both were made from the same sources, Bun and C library, for the same processor. */
export function sameMaking(a: Omit<BuildRecord, "files">, b: Omit<BuildRecord, "files">): boolean {
  const making = ({ version, arch, bun, sources, libc }: Omit<BuildRecord, "files">) =>
    JSON.stringify([version, arch, bun, sources, libc?.files.map(({ name, sha256 }) => [name, sha256])]);
  return making(a) === making(b);
}

/** Whether the file stands in `out` with its recorded size. */
export function isThere(out: string, record: FileRecord): boolean {
  return statSync(join(out, record.file), { throwIfNoEntry: false })?.size === record.bytes;
}
