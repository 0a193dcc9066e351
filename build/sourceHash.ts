import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** What a build reads of the tree; dependencies by the lockfile. */
const sources = [
  "build.ts",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "build",
  "examples",
  "lib",
  "tools",
  "web",
];

/** SHA-256 (hex) over names and contents of all sources of the tree at `root`: the same wherever the tree stands. */
export function sourceHash(root: string): string {
  const files = sources.flatMap((source) => {
    const path = join(root, source);
    if (!existsSync(path)) return [];
    if (statSync(path).isFile()) return [source];
    const below = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return below.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  });
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}
