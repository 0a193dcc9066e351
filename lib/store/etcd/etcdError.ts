import { StoreError } from "../storeError.ts";

/** An answer of etcd that is an error; `grpc` is its gRPC code. */
export class EtcdError extends StoreError {
  readonly grpc: number;
  /** The text as etcd wrote it. */
  readonly detail: string;

  constructor(endpoint: string, grpc: number, detail: string) {
    super(codeOf(grpc, detail), `etcd ${endpoint}: ${detail}`);
    this.grpc = grpc;
    this.detail = detail;
  }

  /** The token ran out, or permissions changed since it was made: log in again. */
  get staleToken(): boolean {
    return this.grpc === 16 || /invalid auth token|revision.*in header is old/i.test(this.detail);
  }
}

function codeOf(grpc: number, detail: string): StoreError["code"] {
  if (/requested lease not found/.test(detail)) return "lease_expired";
  if (/request is too large|too many operations|larger than max/i.test(detail)) return "too_large";
  if (/authentication failed|user name is empty|permission denied|invalid auth token/i.test(detail))
    return "unauthorized";
  if (grpc === 16 || grpc === 7) return "unauthorized";
  if (grpc === 4) return "timeout";
  if (grpc === 3 || grpc === 11) return "invalid";
  return "unavailable";
}

/**
 * Reads both shapes: `{"error":"text","code":5}` (3.3 and 3.4; in streams `{"error":{"grpc_code","message"}}`) and
 * `{"code":5,"message":"text"}` (3.6 and later).
 */
export function toEtcdError(endpoint: string, body: string, httpStatus: number): EtcdError {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    return new EtcdError(endpoint, 2, `HTTP ${httpStatus} ${body.slice(0, 200).trim()}`);
  }
  const outer = asRecord(answer);
  const inner = asRecord(outer.error);
  const code = [inner.grpc_code, inner.code, outer.code, outer.grpc_code].find((c) => typeof c === "number");
  const text = [inner.message, outer.message, outer.error].find((t) => typeof t === "string");
  return new EtcdError(endpoint, Number(code ?? 2), String(text ?? `HTTP ${httpStatus}`));
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
