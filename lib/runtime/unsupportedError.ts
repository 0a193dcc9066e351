/** This runtime cannot do what was asked; `what` names it for people. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly code = "unsupported";

  constructor(what: string) {
    super(`${what} needs the Bun runtime (use the compiled binary)`);
  }
}
