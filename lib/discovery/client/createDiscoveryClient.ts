import type { ClientLog } from "./clientLog.ts";
import { DiscoveryClient } from "./discoveryClient.ts";

export interface DiscoveryClientOptions {
  /** One or several daemons, as a list or separated by commas; http:// may be left out. */
  url: string | readonly string[];
  /** Bearer token. */
  token?: string | undefined;
  log?: ClientLog;
  /** For one try at one server, in ms. Default 5,000 (a hung connection must not outlive an instance's TTL). */
  requestTimeoutMs?: number;
  /** For a call over all tries, in ms. Default 10,000. */
  totalTimeoutMs?: number;
  /** A watch without even a keep-alive for so long counts as broken, in ms. Default 75,000. */
  silenceMs?: number;
  /** Default the runtime's (a unix socket or TLS by lib/runtime's fetchVia). */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/**
 * Discovery by a daemon's HTTP API. Calls move to the next daemon when one fails; watches reconnect by themselves and tell
 * only differences; registrations with `held: true` are kept alive by heartbeats until `deregister` or `close`.
 * @throws {TypeError} for a URL that is none.
 *
 * @example
 * const discovery = createDiscoveryClient({ url: "http://127.0.0.1:1111" });
 * for await (const event of discovery.watch("web", { signal })) console.log(event.kind, event.instance?.addr);
 */
export function createDiscoveryClient(options: DiscoveryClientOptions): DiscoveryClient {
  const {
    url,
    token,
    log = { warn() {} },
    requestTimeoutMs = 5000,
    totalTimeoutMs = 10_000,
    silenceMs = 75_000,
  } = options;
  const texts = typeof url === "string" ? url.split(",") : url;
  const urls = texts.map((text) => text.trim()).filter((text) => text !== "" && text !== "none");
  return new DiscoveryClient({
    urls: (urls.length > 0 ? urls : ["http://127.0.0.1:1111"]).map(baseOf),
    token,
    log,
    requestTimeoutMs,
    totalTimeoutMs,
    silenceMs,
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
  });
}

function baseOf(text: string): string {
  const url = new URL(/^[a-z]+:\/\//i.test(text) ? text : `http://${text}`);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`${text}: not an http(s) URL`);
  return url.href.replace(/\/+$/, "");
}
