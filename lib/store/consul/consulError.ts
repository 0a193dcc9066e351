import { StoreError } from "../storeError.ts";

/** An answer of Consul that is an error. */
export class ConsulError extends StoreError {
  /** The HTTP status; 409 for what a transaction was refused for. */
  readonly status: number;
  /** The text as Consul wrote it. */
  readonly detail: string;

  constructor(endpoint: string, status: number, text: string) {
    const detail = text.slice(0, 300).trim() || `HTTP ${status}`;
    super(codeOf(status, detail), `consul ${endpoint}: ${detail}`);
    this.status = status;
    this.detail = detail;
  }

  /** The agent knew that there is no leader, or refused for its rate limit: nothing was written. */
  get surelyNotDone(): boolean {
    return this.status === 429 || /^No cluster leader$/i.test(this.detail);
  }
}

function codeOf(status: number, detail: string): StoreError["code"] {
  if (/permission denied|ACL not found|token not found/i.test(detail)) return "unauthorized";
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 413) return "too_large";
  if (/invalid session/i.test(detail)) return "lease_expired";
  if (status === 400 || /invalid key name|unknown KV operation|Invalid Session TTL/i.test(detail)) return "invalid";
  return "unavailable";
}
