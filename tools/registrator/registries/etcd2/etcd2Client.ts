import { type Fetch, fetchVia } from "../../../../lib/runtime/fetchVia.ts";
import type { EtcdTarget } from "../../../../lib/store/etcd/etcdUrl.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";

export interface Etcd2Node {
  key?: string;
  value?: string;
  dir?: boolean;
  nodes?: Etcd2Node[];
  modifiedIndex?: number;
  expiration?: string;
}

export interface Etcd2Answer {
  action?: string;
  node?: Etcd2Node;
  /** X-Etcd-Index: of the whole store. */
  index: number;
}

/** An answer of etcd's v2 API that is an error (https://etcd.io/docs/v2.3/errorcode/). */
export class Etcd2Error extends Error {
  override readonly name = "Etcd2Error";
  readonly code: string;
  /** 100: no such key; 101: compare failed; 105: exists; 401: the index is too old. 0: not of the v2 API. */
  readonly errorCode: number;
  /** X-Etcd-Index, as of the answer. */
  readonly index: number;

  constructor(errorCode: number, message: string, index = 0) {
    super(`etcd: ${message}`);
    this.index = index;
    this.errorCode = errorCode;
    // 102 and 104: a key is a directory, or the other way round; the entry itself cannot be.
    this.code = errorCode === 102 || errorCode === 104 ? "validation_error" : "etcd2";
  }
}

/** etcd's v2 keys API, as etcd up to 3.5 has it (3.4 and later with --enable-v2). Goes on to the next endpoint when one fails. */
export class Etcd2Client {
  readonly #target: EtcdTarget;
  readonly #fetch: Fetch;
  #current = 0;

  constructor(target: EtcdTarget) {
    this.#target = target;
    this.#fetch = fetchVia(target.tls ? { tls: target.tls } : {});
  }

  /** Whether the server has the v2 keys API. @throws when nobody answers */
  async hasV2(signal: AbortSignal): Promise<boolean> {
    const response = await this.#send("GET", "/v2/keys/?quorum=false", undefined, signal);
    const text = await response.text();
    if (response.status === 404 && response.headers.get("x-etcd-index") === null) return false;
    if (response.ok || response.status === 401) return true;
    throw new Etcd2Error(0, `HTTP ${response.status} ${text.slice(0, 200).trim()}`);
  }

  async get(key: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Etcd2Answer> {
    return await this.#call("GET", key, query, undefined, signal);
  }

  /** `ttl` in seconds; 0: none. `index`: what has to be there now, 0 for nothing. */
  async put(
    key: string,
    value: string,
    { ttl, index }: { ttl: number; index: number },
    signal: AbortSignal,
  ): Promise<Etcd2Answer> {
    const query: Record<string, string> = index === 0 ? { prevExist: "false" } : { prevIndex: String(index) };
    const form = new URLSearchParams({ ...(ttl > 0 ? { ttl: String(ttl) } : {}), value });
    return await this.#call("PUT", key, query, form.toString(), signal);
  }

  async delete(key: string, index: number, signal: AbortSignal): Promise<Etcd2Answer> {
    const query = { dir: "false", recursive: "false", prevIndex: String(index) };
    return await this.#call("DELETE", key, query, undefined, signal);
  }

  async #call(
    method: string,
    key: string,
    query: Readonly<Record<string, string>>,
    form: string | undefined,
    signal: AbortSignal,
  ): Promise<Etcd2Answer> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const response = await this.#send(method, `/v2/keys${path}?${new URLSearchParams(query)}`, form, signal);
    const text = await response.text();
    const index = Number(response.headers.get("x-etcd-index") ?? 0);
    let answer: { errorCode?: number; message?: string; cause?: string } & Omit<Etcd2Answer, "index">;
    try {
      // A watch that nobody answered for long ends empty.
      answer = response.ok && text.trim() === "" ? {} : JSON.parse(text);
    } catch {
      throw new Etcd2Error(0, `HTTP ${response.status} ${text.slice(0, 200).trim()}`);
    }
    if (response.ok) return { ...answer, index };
    const reason = `${answer.message ?? `HTTP ${response.status}`} ${answer.cause ?? ""}`.trimEnd();
    throw new Etcd2Error(answer.errorCode ?? 0, reason, index);
  }

  async #send(method: string, path: string, form: string | undefined, signal: AbortSignal): Promise<Response> {
    const { endpoints, user } = this.#target;
    const headers: Record<string, string> = {};
    if (user) headers.authorization = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString("base64")}`;
    if (form !== undefined) headers["content-type"] = "application/x-www-form-urlencoded; param=value";
    for (let tries = 1; ; tries++) {
      const at = this.#current;
      try {
        const body = form === undefined ? {} : { body: form };
        const response = await this.#fetch(`${endpoints[at % endpoints.length]}${path}`, {
          method,
          headers,
          signal,
          ...body,
        });
        // Without a leader, or about to stop: another member may do better.
        if (response.status < 500 || tries >= endpoints.length) return response;
        await response.body?.cancel();
      } catch (error) {
        if (this.#current === at) this.#current++;
        if (signal.aborted) throw error;
        if (tries < endpoints.length) continue;
        const reason = error instanceof Error ? error.message : String(error);
        const endpoint = endpoints[at % endpoints.length];
        throw new StoreError("unavailable", `etcd ${endpoint} cannot be reached: ${reason}`, { cause: error });
      }
      if (this.#current === at) this.#current++;
    }
  }
}
