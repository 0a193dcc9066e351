import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";
import type { BuildRecord } from "./buildRecord.ts";
import { cacheFolder } from "./cacheFolder.ts";
import type { Library, Needs } from "./selfContained.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 180_000;

/** The files that a binary carries, and which glibc they are: "2.36" of "Debian GLIBC 2.36-9+deb12u14". */
export interface Libc {
  linker: Library;
  libraries: Library[];
  /** What libc says of itself, for BUILD.json. */
  version: string;
}

/**
 * Finds the files in `needs`, all in one folder, since the parts of a glibc fit only each other. For the processor the build
 * runs on they are the machine's own; for arm64 on x64 they come from Debian's `libc6` package for arm64, fetched once
 * into the cache by an apt with a state of its own: the machine's package lists and architectures stay as they are.
 *
 * @throws BuildError `library-missing`, `download-failed`
 */
export async function findLibc(arch: Arch, needs: Needs): Promise<Libc> {
  const folder = process.arch === arch ? hostFolder(needs) : await debianFolder(arch, needs);
  const load = (name: string): Library => ({ name, bytes: readFileSync(join(folder, name)) });
  const libraries = needs.libraries.map(load);
  const libc = libraries.find(({ name }) => name.startsWith("libc."));
  return { linker: load(needs.linker), libraries, version: libc ? libcVersion(libc.bytes) : "unknown" };
}

/** Its part of BUILD.json: version, and name, size and SHA-256 of every file. */
export function libcRecord({ version, linker, libraries }: Libc): NonNullable<BuildRecord["libc"]> {
  const record = ({ name, bytes }: Library) => ({
    name,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  return { version, files: [linker, ...libraries].map(record) };
}

/** The banner that every glibc holds, such as "GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36". */
export function libcVersion(bytes: Buffer): string {
  const at = bytes.indexOf("GNU C Library ");
  return at < 0 ? "unknown" : (bytes.toString("latin1", at, at + 200).split(/[\n\0]/, 1)[0] ?? "").replace(/\.$/, "");
}

function hostFolder(needs: Needs): string {
  // Where the linker's usual path leads to is where the distribution keeps the rest: /usr/lib/x86_64-linux-gnu on Debian.
  const usual = [`/lib64/${needs.linker}`, `/lib/${needs.linker}`]
    .filter(existsSync)
    .map((path) => dirname(realpathSync(path)));
  const folders = [...usual, "/usr/lib64", "/usr/lib", "/lib64", "/lib"];
  const found = folders.find((folder) => holdsAll(folder, needs));
  if (found === undefined)
    throw new BuildError(
      "library-missing",
      `no folder holds ${names(needs)} together; looked in ${folders.join(", ")}`,
    );
  return found;
}

/** The cached files of Debian's glibc for `arch`; a folder named after the package's version. */
async function debianFolder(arch: Arch, needs: Needs): Promise<string> {
  const { debian } = archFacts[arch];
  const cache = join(cacheFolder(), "libc");
  mkdirSync(cache, { recursive: true });
  const cached = readdirSync(cache).filter((name) => name.startsWith(`libc6_`) && name.endsWith(`_${debian}`));
  const known = cached.sort().find((name) => holdsAll(join(cache, name), needs));
  if (known !== undefined) return join(cache, known);

  const scratch = mkdtempSync(join(cache, "fetch-"));
  try {
    const package_ = await fetchPackage(scratch, debian, "libc6");
    await run("dpkg-deb", ["-x", join(scratch, package_), join(scratch, "root")], { timeout: TIMEOUT_MS });
    const folder = join(cache, package_.replace(/\.deb$/, "").replaceAll("%3a", "_"));
    const root = readdirSync(join(scratch, "root"), { recursive: true, encoding: "utf8" }).map((name) =>
      join(scratch, "root", name),
    );
    const source = root.find((path) => path.endsWith(`/${needs.libraries[0]}`));
    if (source === undefined || !holdsAll(dirname(source), needs))
      throw new BuildError("library-missing", `Debian's ${package_} does not hold ${names(needs)}`);
    const kept = join(scratch, "kept");
    mkdirSync(kept);
    for (const name of [needs.linker, ...needs.libraries])
      writeFileSync(join(kept, name), readFileSync(join(dirname(source), name)));
    rmSync(folder, { recursive: true, force: true });
    renameSync(kept, folder);
    return folder;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** `apt-get download` of a foreign package into `folder`, checked against the distribution's signatures; the file's name. */
async function fetchPackage(folder: string, architecture: string, name: string): Promise<string> {
  const state = join(folder, "apt");
  for (const part of ["lists/partial", "archives/partial"]) mkdirSync(join(state, part), { recursive: true });
  writeFileSync(join(state, "status"), "");
  const options = [
    `Dir::State=${state}`,
    `Dir::State::lists=${state}/lists`,
    `Dir::State::status=${state}/status`,
    `Dir::Cache=${state}`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    "APT::Sandbox::User=root", // the folder is ours alone; the _apt user could not write to it
  ].flatMap((option) => ["-o", option]);
  try {
    await run("apt-get", [...options, "-q", "update"], { timeout: TIMEOUT_MS });
    await run("apt-get", [...options, "-q", "download", name], { timeout: TIMEOUT_MS, cwd: folder });
  } catch (error) {
    const said = error instanceof Error ? error.message.trim().split("\n").slice(-3).join("; ") : String(error);
    throw new BuildError("download-failed", `cannot get Debian's ${name} for ${architecture} (it needs apt): ${said}`);
  }
  const file = readdirSync(folder).find((entry) => entry.endsWith(".deb"));
  if (file === undefined) throw new BuildError("download-failed", `apt-get brought no ${name} for ${architecture}`);
  return file;
}

function holdsAll(folder: string, needs: Needs): boolean {
  return [needs.linker, ...needs.libraries].every((name) => existsSync(join(folder, name)));
}

function names(needs: Needs): string {
  return [needs.linker, ...needs.libraries].join(", ");
}
