/** The processors that binaries are built for, and how each part of the build calls them. */
export type Arch = "x64" | "arm64";

interface ArchFacts {
  /** ELF `e_machine`. */
  machine: number;
  /** The largest page a kernel for it may use, in bytes; a segment is aligned to it. */
  page: number;
  /** Target of Bun's compiler. */
  bunTarget: "bun-linux-x64" | "bun-linux-arm64";
  /** npm package of the Bun that binaries are based on. */
  bunPackage: string;
  /** Debian's name, and `architecture` in an image. */
  debian: "amd64" | "arm64";
  /** The compiler that builds the stub. */
  compiler: string;
}

export const archFacts: Readonly<Record<Arch, ArchFacts>> = {
  x64: {
    machine: 62,
    page: 0x1000,
    bunTarget: "bun-linux-x64",
    bunPackage: "@oven/bun-linux-x64",
    debian: "amd64",
    compiler: "x86_64-linux-gnu-gcc",
  },
  arm64: {
    machine: 183,
    page: 0x10000,
    bunTarget: "bun-linux-arm64",
    bunPackage: "@oven/bun-linux-aarch64",
    debian: "arm64",
    compiler: "aarch64-linux-gnu-gcc",
  },
};
