/**
 * What went wrong with a store; `in_use` is a file that another process holds; `corrupt` is data that is not ours or
 * damaged; `unauthorized` is a refused login or a file without permission; `unavailable` and `timeout` are worth another try, the others are not.
 */
export type StoreErrorCode =
  | "bad_url"
  | "unavailable"
  | "timeout"
  | "unauthorized"
  | "in_use"
  | "too_large"
  | "lease_expired"
  | "invalid"
  | "corrupt"
  | "closed";

/**
 * A failed store call.
 *
 * @example
 * if (error instanceof StoreError && error.retry) await backOff();
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get retry(): boolean {
    return this.code === "unavailable" || this.code === "timeout";
  }
}
