export type DnsErrorCode = "malformed" | "bad_name" | "bad_address" | "timeout" | "bad_reply" | "busy";

/**
 * A DNS message that cannot be read or written, or an upstream that did not answer.
 *
 * @example
 * throw new DnsError("malformed", "name runs past the end of the message");
 */
export class DnsError extends Error {
  override readonly name = "DnsError";
  readonly code: DnsErrorCode;

  constructor(code: DnsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
