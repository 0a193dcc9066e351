import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Arch, archFacts } from "../arch.ts";
import { PT, readElf } from "../elf.ts";

const folder = import.meta.dirname;

/** No C library, no relocations, no registers of the floating-point unit; and nothing that differs from build to build. */
const flags = [
  "-Os -ffreestanding -nostdlib -static -fno-builtin -fno-stack-protector -fno-asynchronous-unwind-tables",
  "-fno-tree-loop-distribute-patterns -fvisibility=hidden -mgeneral-regs-only -Wall -Wextra -Werror",
  "-Wl,--build-id=none -Wl,-T,stub.ld -Wl,-e,_start -Wl,--no-warn-rwx-segments",
]
  .join(" ")
  .split(" ");
const archFlags: Readonly<Record<Arch, string[]>> = {
  x64: ["-fPIC", "-fcf-protection=none"],
  arm64: ["-fno-pic", "-mcmodel=tiny", "-mno-outline-atomics"],
};

/** The first line of `gcc --version`; undefined where that compiler is not installed. */
export function stubCompiler(arch: Arch): string | undefined {
  try {
    const answer = execFileSync(archFacts[arch].compiler, ["--version"], { encoding: "utf8", stdio: "pipe" });
    // Without the program's own name, which differs by how it was installed: "(Debian 12.2.0-14) 12.2.0".
    return answer.split("\n", 1)[0]?.replace(/^\S+ /, "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Compiles stub.c for `arch` with that processor's gcc; the stub's bytes. Throws what gcc says. */
export function compileStub(arch: Arch): Buffer {
  const scratch = mkdtempSync(join(tmpdir(), "quayside-stub-"));
  try {
    const out = join(scratch, "stub.elf");
    execFileSync(archFacts[arch].compiler, [...flags, ...archFlags[arch], "stub.c", "-o", out], {
      cwd: folder,
      stdio: "pipe",
    });
    const elf = readFileSync(out);
    const loads = readElf(elf).headers.filter(({ type }) => type === PT.LOAD);
    const [only] = loads;
    if (only === undefined || loads.length > 1) throw new Error("the linker script makes exactly one segment");
    return elf.subarray(only.offset, only.offset + only.fileSize);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** SHA-256 (hex) over what the stub is made from: a committed stub whose value differs is stale. */
export function stubSourceHash(): string {
  const hash = createHash("sha256");
  for (const file of ["stub.c", "stub.ld"]) hash.update(readFileSync(join(folder, file)));
  return hash.digest("hex");
}
