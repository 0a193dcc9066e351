import { type Fetch, fetchVia } from "../../runtime/fetchVia.ts";
import type { StoreLog } from "../openStore.ts";
import type { StoreStatus } from "../store.ts";
import { StoreError } from "../storeError.ts";
import { type EtcdError, toEtcdError } from "./etcdError.ts";
import type { EtcdTarget } from "./etcdUrl.ts";
import { parseAnswer } from "./wire.ts";

/** An answer that goes on: JSON objects, one a line. */
export interface GatewayStream {
  lines: AsyncGenerator<string>;
  end(reason: StoreError): void;
}

interface Open {
  endpoint: string;
  controller: AbortController;
}

/** Between two rounds over the members while they elect a leader, in ms. */
const electionPauseMs = 100;

/**
 * Calls to etcd's JSON gateway. It stays with one member until that fails, then goes on to the next, taking the
 * streams along: they end, and whoever reads them opens them again.
 */
export class EtcdGateway {
  readonly #target: EtcdTarget;
  readonly #fetch: Fetch;
  readonly #log: StoreLog | undefined;
  readonly #timeoutMs: number;
  readonly #open = new Set<Open>();
  #current = 0;
  /** 3.4 and later; 3.3 has /v3beta. Found out by the first call. */
  #api = "/v3";
  #token: Promise<string> | undefined;
  #status: StoreStatus = { connected: false, currentAt: 0, reason: "not connected yet" };
  #closed = false;

  constructor(target: EtcdTarget, log: StoreLog | undefined, timeoutMs: number) {
    this.#target = target;
    this.#fetch = fetchVia(target.tls ? { tls: target.tls } : {});
    this.#log = log;
    this.#timeoutMs = timeoutMs;
  }

  status(): StoreStatus {
    return { ...this.#status };
  }

  /**
   * The answer's text. `repeatable` calls are tried on the other members when one fails, and until the time limit while a leader
   * is elected; others only when the failed member surely did not do them.
   * @throws {StoreError}
   */
  async call(path: string, body: string, repeatable: boolean): Promise<string> {
    return await this.#attempt(repeatable, async (endpoint, ms) => {
      const response = await this.#request(endpoint, path, body, ms, async (answer) => ({
        ok: answer.ok,
        status: answer.status,
        text: await answer.text(),
      }));
      if (!response.ok) throw toEtcdError(endpoint, response.text, response.status);
      this.alive();
      return response.text;
    });
  }

  /** A call whose answer goes on until it is ended. Waits for the answer's head. @throws {StoreError} */
  async stream(path: string, body: string): Promise<GatewayStream> {
    return await this.#attempt(true, async (endpoint, ms) => {
      const open: Open = { endpoint, controller: new AbortController() };
      this.#open.add(open);
      const late = setTimeout(() => open.controller.abort(this.#late(endpoint, ms)), ms);
      try {
        const response = await this.#post(endpoint, path, body, open.controller.signal);
        if (!response.ok) throw toEtcdError(endpoint, await response.text(), response.status);
        return { lines: this.#lines(open, response), end: (reason: StoreError) => open.controller.abort(reason) };
      } catch (error) {
        this.#open.delete(open);
        open.controller.abort();
        throw error;
      } finally {
        clearTimeout(late);
      }
    });
  }

  /** Something came from the server just now. */
  alive(): void {
    if (this.#closed) return;
    if (!this.#status.connected) this.#log?.info("etcd answers", { endpoint: this.#endpoint() });
    this.#status = { connected: true, currentAt: Date.now() };
  }

  failed(error: StoreError): void {
    if (this.#status.connected) this.#log?.warn("etcd does not answer", { error: error.message });
    this.#status = { connected: false, currentAt: this.#status.currentAt, reason: error.message };
  }

  close(): void {
    this.#closed = true;
    const reason = this.#closedError();
    for (const { controller } of this.#open) controller.abort(reason);
    this.#status = { connected: false, currentAt: this.#status.currentAt, reason: "closed" };
  }

  /** Does something on the current member, and on the next ones when it may: on each once, and again while they elect a leader. */
  async #attempt<T>(repeatable: boolean, run: (endpoint: string, ms: number) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs;
    let refreshed = false;
    let otherApi = false;
    let electing = false;
    let tries = this.#target.endpoints.length;
    for (;;) {
      if (this.#closed) throw this.#closedError();
      const endpoint = this.#endpoint();
      const api = this.#api;
      try {
        return await run(endpoint, Math.min(this.#attemptMs(), Math.max(1, deadline - performance.now())));
      } catch (error) {
        const told = this.#told(error, endpoint);
        if (told.code === "closed") throw told;
        if (isEtcdError(told) && told.staleToken && this.#target.user && !refreshed) {
          refreshed = true;
          this.#token = undefined;
          continue;
        }
        if (isEtcdError(told) && told.detail.startsWith("HTTP 404") && !otherApi) {
          otherApi = true;
          if (this.#api === api) this.#api = api === "/v3" ? "/v3beta" : "/v3"; // else another call has found out
          continue;
        }
        if (!told.retry) {
          if (isEtcdError(told) && told.code !== "unauthorized")
            this.alive(); // it answers; the request was at fault
          else this.failed(told);
          throw told;
        }
        this.#leave(endpoint, told);
        tries--;
        electing ||= isElection(told);
        const left = deadline - performance.now();
        const again = (repeatable || surelyNotDone(error, told)) && left > 0;
        if (again && tries > 0) continue;
        // With less left, the last answer would be a timeout that hides why.
        if (again && electing && left > 2 * electionPauseMs) {
          electing = false;
          tries = this.#target.endpoints.length;
          await new Promise((resolve) => setTimeout(resolve, electionPauseMs));
          continue;
        }
        this.failed(told);
        throw told;
      }
    }
  }

  /** Streams of a member that failed may be half-open: they would be silent for ever. */
  #leave(endpoint: string, why: StoreError): void {
    if (this.#endpoint() === endpoint) this.#current = (this.#current + 1) % this.#target.endpoints.length;
    for (const open of this.#open) if (open.endpoint === endpoint) open.controller.abort(why);
  }

  #endpoint(): string {
    return this.#target.endpoints[this.#current] ?? "";
  }

  #attemptMs(): number {
    return this.#target.endpoints.length > 1 ? this.#timeoutMs / 2 : this.#timeoutMs;
  }

  async #request<T>(endpoint: string, path: string, body: string, ms: number, read: (answer: Response) => Promise<T>) {
    const open: Open = { endpoint: "", controller: new AbortController() }; // not a stream: its own timeout ends it
    this.#open.add(open);
    const late = setTimeout(() => open.controller.abort(this.#late(endpoint, ms)), ms);
    try {
      return await read(await this.#post(endpoint, path, body, open.controller.signal));
    } finally {
      clearTimeout(late);
      this.#open.delete(open);
    }
  }

  async #post(endpoint: string, path: string, body: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.#target.user && path !== "/auth/authenticate") headers.authorization = await this.#login(endpoint);
    try {
      return await this.#fetch(endpoint + this.#api + path, {
        method: "POST",
        body,
        headers,
        signal,
        redirect: "error",
      });
    } catch (error) {
      throw signal.aborted && signal.reason instanceof StoreError ? signal.reason : error;
    }
  }

  /** One login at a time, for all calls. */
  #login(endpoint: string): Promise<string> {
    this.#token ??= this.#authenticate(endpoint).catch((error) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  async #authenticate(endpoint: string): Promise<string> {
    const body = JSON.stringify(this.#target.user);
    const { ok, status, text } = await this.#request(
      endpoint,
      "/auth/authenticate",
      body,
      this.#attemptMs(),
      async (a) => ({
        ok: a.ok,
        status: a.status,
        text: await a.text(),
      }),
    );
    if (!ok) {
      const error = toEtcdError(endpoint, text, status);
      if (/authentication is not enabled/.test(error.detail)) return ""; // then any call is answered without
      throw error;
    }
    return parseAnswer<{ token?: string }>(text).token ?? "";
  }

  async *#lines(open: Open, response: Response): AsyncGenerator<string> {
    const { signal } = open.controller;
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    if (!reader) throw new StoreError("unavailable", `etcd ${open.endpoint}: a stream without a body`);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
    aborted.catch(() => {}); // the race below hears it; without a race under way nobody needs to
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), aborted]);
        if (done) return;
        const lines = decoder.decode(value, { stream: true }).split("\n");
        const last = lines.pop() ?? "";
        for (const [i, line] of lines.entries()) yield i === 0 ? rest + line : line;
        rest = lines.length > 0 ? last : rest + last;
      }
    } catch (error) {
      throw this.#told(error, open.endpoint);
    } finally {
      this.#open.delete(open);
      open.controller.abort();
      reader.cancel().catch(() => {}); // the connection may be gone already
    }
  }

  #told(error: unknown, endpoint: string): StoreError {
    if (error instanceof StoreError) return error;
    const text = error instanceof Error ? error.message : String(error);
    return new StoreError("unavailable", `etcd ${endpoint} cannot be reached: ${text}`, { cause: error });
  }

  #late(endpoint: string, ms: number): StoreError {
    return new StoreError("timeout", `etcd ${endpoint} did not answer within ${Math.round(ms)} ms`);
  }

  #closedError(): StoreError {
    return new StoreError("closed", `store ${this.#target.url} is closed`);
  }
}

const isEtcdError = (error: StoreError): error is EtcdError => "grpc" in error;

/** It passes by itself within a second or two, where a quorum is left. */
function isElection(told: StoreError): boolean {
  return isEtcdError(told) && /no leader|leader changed/.test(told.detail);
}

/** The connection was refused, or the member knew that it has no leader: nothing was written. */
function surelyNotDone(error: unknown, told: StoreError): boolean {
  if (isEtcdError(told)) return /no leader/.test(told.detail);
  const code = (error as { code?: unknown }).code;
  return code === "ConnectionRefused" || code === "ECONNREFUSED" || /connection refused/i.test(told.message);
}
