/** What can go wrong in a build, as a short stable word; {@link BuildError.message} tells the person what to do. */
export type BuildErrorCode =
  | "usage"
  | "unknown-tool"
  | "bun-version"
  | "bundle-failed"
  | "compile-failed"
  | "download-failed"
  | "bad-integrity"
  | "library-missing"
  | "library-mismatch"
  | "musl"
  | "not-elf"
  | "truncated"
  | "wrong-arch"
  | "already-self-contained"
  | "no-interpreter"
  | "note-order"
  | "too-many-headers"
  | "too-many-libraries"
  | "dynamic-too-long"
  | "bad-stub"
  | "bad-name"
  | "too-large";

/** A build that cannot go on. `build.ts` prints the message as one line and exits 2 for `usage` and `unknown-tool`, else 1. */
export class BuildError extends Error {
  readonly code: BuildErrorCode;

  constructor(code: BuildErrorCode, message: string) {
    super(message);
    this.name = "BuildError";
    this.code = code;
  }
}
