import { type Fetch, fetchVia } from "../../runtime/fetchVia.ts";
import type { StoreLog } from "../openStore.ts";
import type { StoreStatus } from "../store.ts";
import { StoreError } from "../storeError.ts";
import { ConsulError } from "./consulError.ts";
import type { ConsulTarget } from "./consulUrl.ts";

/** An answer that is none of Consul's errors. */
export interface ConsulAnswer {
  status: number;
  text: string;
  headers: Headers;
}

interface Open {
  endpoint: string;
  controller: AbortController;
}

/** A blocking query under way. */
export interface Question {
  answer: Promise<ConsulAnswer>;
  end(reason: StoreError): void;
}

/** What a blocking query is ended with when it should be asked anew. */
export const askAnew = new StoreError("unavailable", "the question is asked anew");

/**
 * Calls to Consul's HTTP API. It stays with one agent until that fails, then goes on to the next, taking the blocking
 * queries along: they end, and whoever asked asks again.
 */
export class ConsulClient {
  readonly #target: ConsulTarget;
  readonly #fetch: Fetch;
  readonly #log: StoreLog | undefined;
  readonly #timeoutMs: number;
  readonly #open = new Set<Open>();
  #current = 0;
  #status: StoreStatus = { connected: false, currentAt: 0, reason: "not connected yet" };
  #leaderless = false;
  #closed = false;

  constructor(target: ConsulTarget, log: StoreLog | undefined, timeoutMs: number) {
    this.#target = target;
    const { unix, tls } = target;
    this.#fetch = fetchVia({ ...(unix === undefined ? {} : { unix }), ...(tls ? { tls } : {}) });
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  status(): StoreStatus {
    return { ...this.#status };
  }

  /** The agent in use. */
  get endpoint(): string {
    return this.#target.endpoints[this.#current] ?? "";
  }

  /**
   * An answer of 200, 404 or 409. `repeatable` calls are tried on the other agents when one fails; others only when the
   * failed one surely did not do them. An answer that the agent gives without a leader does not show that there is one:
   * `local`.
   * @throws {StoreError}
   */
  async call(
    method: "GET" | "PUT",
    path: string,
    body: string,
    repeatable: boolean,
    local = false,
  ): Promise<ConsulAnswer> {
    const deadline = performance.now() + this.#timeoutMs;
    for (let tries = this.#target.endpoints.length; ; ) {
      this.checkOpen();
      const { endpoint } = this;
      try {
        const answer = await this.#request({ endpoint: "", controller: new AbortController() }, endpoint, {
          method,
          path,
          body,
          ms: this.#attemptMs(),
        });
        if (!local) this.alive();
        return answer;
      } catch (error) {
        const told = this.#told(error, endpoint);
        if (told.code === "closed") throw told;
        if (!told.retry) {
          if (told.code === "unauthorized") this.failed(told);
          else this.alive(); // it answers; the request was at fault
          throw told;
        }
        this.#leave(endpoint, told);
        const again = (repeatable || surelyNotDone(error, told)) && --tries > 0 && performance.now() < deadline;
        if (again) continue;
        this.failed(told);
        throw told;
      }
    }
  }

  /** A GET that Consul answers when something changed, or after `waitMs`; a silent one is given up a while after that. */
  ask(path: string, waitMs: number): Question {
    if (this.#closed) return { answer: Promise.reject(this.#closedError()), end: () => {} };
    const { endpoint } = this;
    const open: Open = { endpoint, controller: new AbortController() };
    // Consul adds up to a 16th, so that not all come back at once.
    const ms = waitMs + waitMs / 16 + this.#timeoutMs;
    const answer = this.#request(open, endpoint, { method: "GET", path, body: "", ms }).catch((error) => {
      const told = this.#told(error, endpoint);
      if (told.retry && told !== askAnew) this.#leave(endpoint, told);
      throw told;
    });
    return { answer, end: (reason) => open.controller.abort(reason) };
  }

  /** Has all blocking queries asked anew: what they wait for may never come. */
  anew(): void {
    for (const { endpoint, controller } of this.#open) if (endpoint !== "") controller.abort(askAnew);
  }

  /** Consul answered just now, and had a leader to do so. */
  alive(): void {
    if (this.#closed) return;
    if (!this.#status.connected) this.#log?.info("consul answers", { endpoint: this.endpoint });
    this.#leaderless = false;
    this.#status = { connected: true, currentAt: Date.now() };
  }

  failed(error: StoreError): void {
    if (this.#closed) return;
    if (this.#status.connected) this.#log?.warn("consul does not answer", { error: error.message });
    this.#status = { connected: false, currentAt: this.#status.currentAt, reason: error.message };
  }

  /** The agent in use knows no leader: until it does, a call that is not answered is so for that reason. */
  leaderless(): void {
    this.#leaderless = true;
    this.failed(this.#noLeader(this.endpoint));
  }

  /** @throws {StoreError} closed */
  checkOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  close(): void {
    this.#closed = true;
    const reason = this.#closedError();
    for (const { controller } of this.#open) controller.abort(reason);
    this.#status = { connected: false, currentAt: this.#status.currentAt, reason: "closed" };
  }

  /** Blocking queries at an agent that failed may be half-open: they would be silent for ever. */
  #leave(endpoint: string, why: StoreError): void {
    if (this.endpoint === endpoint) this.#current = (this.#current + 1) % this.#target.endpoints.length;
    for (const open of this.#open) if (open.endpoint === endpoint) open.controller.abort(why);
  }

  #attemptMs(): number {
    return this.#target.endpoints.length > 1 ? this.#timeoutMs / 2 : this.#timeoutMs;
  }

  async #request(
    open: Open,
    endpoint: string,
    { method, path, body, ms }: { method: string; path: string; body: string; ms: number },
  ): Promise<ConsulAnswer> {
    const { signal } = open.controller;
    this.#open.add(open);
    const late = setTimeout(() => open.controller.abort(this.#late(endpoint, ms)), ms);
    try {
      const response = await this.#fetch(endpoint + path, {
        method,
        headers: this.#target.headers,
        signal,
        redirect: "error",
        ...(body === "" ? {} : { body }),
      });
      const answer = { status: response.status, text: await response.text(), headers: response.headers };
      if (answer.status === 200 || answer.status === 404 || answer.status === 409) return answer;
      throw new ConsulError(endpoint, answer.status, answer.text);
    } catch (error) {
      throw signal.aborted && signal.reason instanceof StoreError ? signal.reason : error;
    } finally {
      clearTimeout(late);
      this.#open.delete(open);
    }
  }

  #told(error: unknown, endpoint: string): StoreError {
    if (error instanceof StoreError) {
      const isLate = error.code === "timeout" && this.#leaderless;
      return isLate ? this.#noLeader(endpoint) : error;
    }
    const text = error instanceof Error ? error.message : String(error);
    return new StoreError("unavailable", `consul ${endpoint} cannot be reached: ${text}`, { cause: error });
  }

  #noLeader(endpoint: string): StoreError {
    return new StoreError("unavailable", `consul ${endpoint}: the cluster has no leader`);
  }

  #late(endpoint: string, ms: number): StoreError {
    return new StoreError("timeout", `consul ${endpoint} did not answer within ${Math.round(ms)} ms`);
  }

  #closedError(): StoreError {
    return new StoreError("closed", `store ${this.#target.url} is closed`);
  }
}

/** The connection was refused, or the agent knew that it could not. */
function surelyNotDone(error: unknown, told: StoreError): boolean {
  if (told instanceof ConsulError) return told.surelyNotDone;
  const code = (error as { code?: unknown }).code;
  return code === "ConnectionRefused" || code === "ECONNREFUSED" || /connection refused/i.test(told.message);
}
