import { resolve } from "node:path";
import type { Arch } from "../../build/arch.ts";
import { buildPrograms } from "../../build/buildPrograms.ts";
import { findPrograms, type Program } from "../../build/programs.ts";
import { version } from "../../lib/cli/version.ts";
import { tryLock } from "../testbed/locks.ts";
import { waitFor } from "../testbed/waitFor.ts";

/** The tree that is tested. */
export const root = resolve(import.meta.dirname, "../..");

/** The folder with what was built, and the programs in it. */
export interface Built {
  out: string;
  programs: Program[];
}

/**
 * Builds all programs of this tree for `arch` into dist/ (or dist/ARCH), as `bun build.ts --if-changed` does; one caller at a time.
 * Takes seconds after a change, else milliseconds.
 */
export async function built(arch: Arch = "x64"): Promise<Built> {
  const lock = await waitFor(() => tryLock("build"), { what: "the build of another test", deadlineMs: 120_000 });
  try {
    const out = resolve(root, arch === process.arch ? "dist" : `dist/${arch}`);
    const programs = findPrograms(root);
    await buildPrograms({ root, out, arch, programs, static: true, images: true, ifChanged: true, version });
    return { out, programs };
  } finally {
    lock.release();
  }
}

/** How to start the programs that serve HTTP: their words, and a path that answers 200. */
export const servers: Readonly<Record<string, { words: (port: number) => string[]; path: string; port?: number }>> = {
  discoverd: { words: (port) => discoverd(port), path: "/healthz" },
  quayside: { words: (port) => ["discoverd", ...discoverd(port)], path: "/healthz" },
  story: { words: () => ["counter"], path: "/", port: 9000 },
};

function discoverd(port: number): string[] {
  return ["serve", "--listen", `127.0.0.1:${port}`, "--store", "memory:"];
}
