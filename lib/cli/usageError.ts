/**
 * The user asked for something that cannot be: the process prints one line and ends with 2, nothing done.
 *
 * @example
 * throw new UsageError(`--ttl 5s: must be longer than --ttl-refresh 10s`);
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
  /** Print the usage text below the message, as some of the originals do. */
  readonly showUsage: boolean;

  constructor(message: string, options: { showUsage?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.showUsage = options.showUsage ?? false;
  }
}
