import { createHash } from "node:crypto";
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FileRecord } from "./buildRecord.ts";

/** The folder that a build writes to; it notes size and hash of every file for BUILD.json. */
export class Output {
  readonly files: FileRecord[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Writes a file whole and moves it into place: the one there may be a program that runs.
   *
   * @param name relative to the folder
   * @param mode permission bits, whatever the umask. Default: 0o644
   * @returns its size, for people
   */
  write(name: string, parts: Uint8Array[], mode = 0o644): string {
    const path = join(this.#folder, name);
    const scratch = `${path}.${process.pid}.new`;
    mkdirSync(dirname(path), { recursive: true });
    const handle = openSync(scratch, "w");
    try {
      for (const part of parts) for (let at = 0; at < part.length; ) at += writeSync(handle, part, at);
    } finally {
      closeSync(handle);
    }
    chmodSync(scratch, mode);
    renameSync(scratch, path);
    return this.#note(name, parts);
  }

  /** Notes a file that another program wrote into the folder; its size, for people. */
  note(name: string): string {
    return this.#note(name, [readFileSync(join(this.#folder, name))]);
  }

  #note(file: string, parts: Uint8Array[]): string {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.files.push({ file, bytes, sha256: hash.digest("hex") });
    return bytes < 10_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
  }
}
