import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "./BuildError.ts";

interface Package {
  name: string;
  version: string;
  license?: string;
}

/**
 * The licences of all packages that may be part of what is built: those of package-lock.json that are not for
 * development only. One text: each package's name, version and kind of licence, then its licence file.
 *
 * @throws BuildError `library-missing` where a package is not installed
 */
export function packageLicenses(root: string): string {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  const folders = Object.entries(lock.packages)
    .filter(([folder, entry]) => folder !== "" && !entry.dev && !entry.optional)
    .map(([folder]) => folder)
    .sort();
  return folders.map((folder) => licenseOf(root, folder)).join("\n\n");
}

function licenseOf(root: string, folder: string): string {
  const path = join(root, folder);
  try {
    const about = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Package;
    const title = `${about.name} ${about.version} (${about.license ?? "see its file"})`;
    const files = readdirSync(path).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const texts = files.sort().map((file) => readFileSync(join(path, file), "utf8").trim());
    return [`== ${title}`, ...texts].join("\n\n");
  } catch (error) {
    throw new BuildError(
      "library-missing",
      `${folder} is not installed (npm ci): ${error instanceof Error ? error.message : error}`,
    );
  }
}
