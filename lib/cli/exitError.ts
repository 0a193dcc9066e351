/**
 * Ends the process with a documented code and one line (none if the message is empty).
 *
 * @example
 * throw new ExitError(3, "the mesh is already run by process 812");
 */
export class ExitError extends Error {
  override readonly name = "ExitError";
  readonly code = "exit";
  readonly exitCode: number;

  constructor(exitCode: number, message = "", options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
