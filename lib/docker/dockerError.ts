/** What went wrong with a call to the engine; {@link DockerError.retry} says which are worth another try. */
export type DockerErrorCode =
  /** DOCKER_HOST, DOCKER_CERT_PATH or another setting is wrong; nothing was asked of anybody. */
  | "bad_host"
  /** A certificate or key cannot be read. */
  | "bad_certificate"
  /** A file to be sent cannot be read. */
  | "bad_file"
  /** There is no socket at the path. */
  | "no_socket"
  /** The socket is there and this user may not use it. */
  | "permission_denied"
  /** Nobody listens. */
  | "refused"
  /** The connection broke, or TLS failed. */
  | "unavailable"
  /** No answer in time. */
  | "timeout"
  /** Something answers that is no Docker Engine. */
  | "not_docker"
  /** The engine speaks no API version that we do. */
  | "version_mismatch"
  /** The engine's answer cannot be read: broken JSON, not UTF-8, too large, a field of the wrong kind. */
  | "bad_answer"
  /** 400 */
  | "bad_request"
  /** 404 */
  | "not_found"
  /** 409, and 304 where a call does not take it for success */
  | "conflict"
  /** 401, 403 */
  | "forbidden"
  /** 5xx */
  | "engine_error"
  /** The caller's signal. */
  | "aborted";

const retried = new Set<DockerErrorCode>(["no_socket", "refused", "unavailable", "timeout", "engine_error"]);

/**
 * A failed call to the engine. The message is for a person and names what was asked and of whom.
 *
 * @example
 * if (error instanceof DockerError && error.code === "not_found") return;
 */
export class DockerError extends Error {
  override readonly name = "DockerError";
  readonly code: DockerErrorCode;
  /** The HTTP status, when the engine answered with one. */
  readonly status: number | undefined;

  constructor(code: DockerErrorCode, message: string, options?: { status?: number; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options?.status;
  }

  /** Whether the same call may succeed later with nothing changed on our side. */
  get retry(): boolean {
    return retried.has(this.code);
  }
}
