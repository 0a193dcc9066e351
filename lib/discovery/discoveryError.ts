/** Flynn's error codes (they are the API's `code`), and what each means in HTTP. */
export const discoveryStatus = {
  not_found: 404,
  object_not_found: 404,
  object_exists: 409,
  conflict: 409,
  precondition_failed: 412,
  syntax_error: 400,
  validation_error: 400,
  unauthorized: 401,
  service_unavailable: 503,
  slow_reader: 503,
  unknown_error: 500,
} as const;

export type DiscoveryErrorCode = keyof typeof discoveryStatus;

/**
 * A refused or failed discovery call; the message is the one that users of the original see.
 *
 * @example
 * throw new DiscoveryError("object_not_found", `discoverd: service "${name}" not found`);
 */
export class DiscoveryError extends Error {
  override readonly name = "DiscoveryError";
  readonly code: DiscoveryErrorCode;

  constructor(code: DiscoveryErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return discoveryStatus[this.code];
  }

  get retry(): boolean {
    return this.code === "service_unavailable";
  }
}
