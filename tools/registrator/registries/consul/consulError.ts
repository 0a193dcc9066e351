/** Sends one request to the agent. @throws {ConsulError} */
export type ConsulCall = (method: string, path: string, signal: AbortSignal, body?: unknown) => Promise<string>;

export class ConsulError extends Error {
  override readonly name = "ConsulError";
  readonly code: string;
  readonly status: number;
  constructor(status: number, text: string) {
    super(`Consul: ${status} ${text}`);
    this.status = status;
    // A 400 speaks of the entry itself; anything else may pass.
    this.code = status === 400 ? "validation_error" : "consul";
  }
}
