/** Codes that all APIs share, and the status each has unless the thrower says otherwise. */
export const statusOfCode = {
  syntax_error: 400,
  validation_error: 400,
  // 400 and not 413: clients of the original discoverd know it so.
  request_body_too_big: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  object_not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  object_exists: 409,
  conflict: 409,
  gone: 410,
  precondition_failed: 412,
  unsupported_media_type: 415,
  misdirected: 421,
  ratelimited: 429,
  unknown_error: 500,
  not_implemented: 501,
  service_unavailable: 503,
  slow_reader: 503,
  timeout: 504,
} as const;

export type ProblemCode = keyof typeof statusOfCode;

export interface ProblemOptions {
  /** Default: by code. */
  status?: number;
  /** Anything JSON that helps to mend it: field names, limits, accepted values. */
  detail?: unknown;
  /** Whether the same request may succeed later. Default: true for 429, 503 and 504. */
  retry?: boolean;
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** What the client reads. */
export interface ProblemBody {
  code: string;
  message: string;
  detail?: unknown;
  retry: boolean;
}

/**
 * An answer that is not a success; thrown by a handler, sent as `{"code","message","detail"?,"retry"}`.
 *
 * @example
 * throw new Problem("object_not_found", `service "${name}" not found`);
 */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly code: string;
  readonly status: number;
  readonly detail: unknown;
  readonly retry: boolean;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode | (string & {}), message: string, options: ProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? (Object.hasOwn(statusOfCode, code) ? statusOfCode[code as ProblemCode] : 500);
    this.detail = options.detail;
    this.retry = options.retry ?? [429, 503, 504].includes(this.status);
    this.headers = options.headers ?? {};
  }

  toJSON(): ProblemBody {
    const { code, message, detail, retry } = this;
    return detail === undefined ? { code, message, retry } : { code, message, detail, retry };
  }

  toResponse(): Response {
    return Response.json(this.toJSON(), { status: this.status, headers: this.headers });
  }
}
