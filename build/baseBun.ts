import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { type Arch, archFacts } from "./arch.ts";
import { BuildError } from "./BuildError.ts";
import { cacheFolder } from "./cacheFolder.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 300_000;

interface Lock {
  packages: Record<string, { version?: string; integrity?: string } | undefined>;
}

/** Version and integrity (`sha512-…`, as npm writes it) that package-lock.json pins for the Bun of `arch`. */
export function pinnedBun(lock: string, arch: Arch): { version: string; integrity: string } {
  const name = archFacts[arch].bunPackage;
  const entry = (JSON.parse(lock) as Lock).packages[`node_modules/${name}`];
  if (!entry?.version || !entry.integrity?.startsWith("sha512-"))
    throw new BuildError("bun-version", `package-lock.json does not pin ${name}`);
  return { version: entry.version, integrity: entry.integrity };
}

/**
 * The Bun executable that a binary for `arch` is based on: the one that runs this build, or for another processor the npm
 * package of the same version, fetched once into the cache and checked against the integrity in package-lock.json.
 *
 * @throws BuildError `bun-version` (this Bun is not the pinned one), `download-failed`, `bad-integrity`
 */
export async function baseBun(root: string, arch: Arch): Promise<string> {
  const { version, integrity } = pinnedBun(readFileSync(join(root, "package-lock.json"), "utf8"), arch);
  if (process.versions.bun !== version)
    throw new BuildError(
      "bun-version",
      `Bun ${version} is wanted (package-lock.json), this is ${process.versions.bun ?? "not Bun"}`,
    );
  if (arch === process.arch) return process.execPath;

  const { bunPackage } = archFacts[arch];
  const folder = join(cacheFolder(), "bun", `${bunPackage.replace("@oven/", "")}-${version}`);
  const executable = join(folder, "package", "bin", "bun");
  if (existsSync(executable)) return executable;
  mkdirSync(join(folder, ".."), { recursive: true });
  const scratch = mkdtempSync(`${folder}.`);
  try {
    const packed = await pack(scratch, `${bunPackage}@${version}`);
    const hash = createHash("sha512");
    await pipeline(createReadStream(packed), hash);
    if (`sha512-${hash.digest("base64")}` !== integrity)
      throw new BuildError("bad-integrity", `${bunPackage}@${version} is not what package-lock.json pins`);
    await run("tar", ["-xzf", packed, "-C", scratch], { timeout: TIMEOUT_MS });
    rmSync(packed);
    rmSync(folder, { recursive: true, force: true });
    renameSync(scratch, folder);
    return executable;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function pack(folder: string, name: string): Promise<string> {
  try {
    const { stdout } = await run("npm", ["pack", name, "--silent", "--pack-destination", folder], {
      timeout: TIMEOUT_MS,
    });
    return join(folder, stdout.trim().split("\n").at(-1) ?? "");
  } catch (error) {
    throw new BuildError(
      "download-failed",
      `npm pack ${name} failed: ${error instanceof Error ? error.message.trim() : error}`,
    );
  }
}
