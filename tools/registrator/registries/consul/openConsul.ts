import { readFileSync } from "node:fs";
import { fetchVia, type Transport } from "../../../../lib/runtime/fetchVia.ts";
import { within } from "../../reconcile/within.ts";
import type { OpenRegistry } from "../openRegistry.ts";
import type { Registry } from "../registry.ts";
import { type ConsulRegistration, consulEntries, consulEntry } from "./consulEntry.ts";

/** Consul's agent does not say when its services change: they are looked at this often, in ms. */
const lookMs = 2000;

/**
 * `consul://[HOST[:PORT]]`, `consul-tls://HOST[:PORT]`, `consul-unix:///PATH`: the agent's API, by default at CONSUL_HTTP_ADDR, else
 * 127.0.0.1:8500. Token from CONSUL_HTTP_TOKEN; TLS files from CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY.
 */
export async function openConsul(
  uri: URL,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const { base, transport } = endpointOf(uri, env);
  const send = fetchVia(transport);
  const call = async (method: string, path: string, signal: AbortSignal, body?: unknown): Promise<string> => {
    const response = await send(`${base}${path}`, {
      method,
      signal,
      headers: {
        ...(env.CONSUL_HTTP_TOKEN ? { "x-consul-token": env.CONSUL_HTTP_TOKEN } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new ConsulError(response.status, text.trim().slice(0, 300));
    return text;
  };
  return {
    registry: consulRegistry(call),
    ping: async () => {
      await call("GET", "/v1/status/leader", AbortSignal.timeout(5000));
    },
    close: async () => {},
  };
}

class ConsulError extends Error {
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

function consulRegistry(
  call: (method: string, path: string, signal: AbortSignal, body?: unknown) => Promise<string>,
): Registry<ConsulRegistration> {
  return {
    name: "consul",
    entryOf: consulEntry,
    list: async (signal) => consulEntries(JSON.parse(await call("GET", "/v1/agent/services", signal))),
    async register({ payload }, signal) {
      // Or a check of an earlier version would stay.
      await call("PUT", "/v1/agent/service/register?replace-existing-checks=true", signal, payload);
    },
    async deregister({ key }, signal) {
      try {
        await call("PUT", `/v1/agent/service/deregister/${encodeURIComponent(key)}`, signal);
      } catch (error) {
        if (!(error instanceof ConsulError && error.status === 404)) throw error;
      }
    },
    async *changes(signal) {
      let known: string | undefined;
      while (!signal.aborted) {
        const found = await within(10_000, signal, (inner) => call("GET", "/v1/agent/services", inner));
        if (known !== undefined && found !== known) yield undefined;
        known = found;
        await pause(lookMs, signal);
      }
    },
  };
}

function endpointOf(
  uri: URL,
  env: Readonly<Record<string, string | undefined>>,
): { base: string; transport: Transport } {
  if (uri.protocol === "consul-unix:") return { base: "http://consul", transport: { unix: uri.pathname } };
  const host = uri.host || env.CONSUL_HTTP_ADDR?.replace(/^https?:\/\//, "") || "127.0.0.1:8500";
  const withPort = /:\d+$/.test(host) ? host : `${host}:8500`;
  if (uri.protocol === "consul:") return { base: `http://${withPort}`, transport: {} };
  const read = (path: string | undefined) => (path ? readFileSync(path, "utf8") : undefined);
  const [ca, cert, key] = [env.CONSUL_CACERT, env.CONSUL_CLIENT_CERT, env.CONSUL_CLIENT_KEY].map(read);
  return {
    base: `https://${withPort}`,
    transport: {
      tls: { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}), rejectUnauthorized: true },
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
