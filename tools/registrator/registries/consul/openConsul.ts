import { ExitError } from "../../../../lib/cli/index.ts";
import { socketFetch } from "../../../../lib/runtime/socketFetch.ts";
import { StoreError } from "../../../../lib/store/storeError.ts";
import type { OpenRegistry, RegistryOptions } from "../openRegistry.ts";
import type { ConsulWait } from "./consulChanges.ts";
import { type ConsulCall, ConsulError } from "./consulError.ts";
import { consulRegistry } from "./consulRegistry.ts";
import { consulSocket, consulTarget } from "./consulTarget.ts";

/**
 * `consul://[HOST[:PORT]]`, `consul-tls://HOST[:PORT]`, `consul-unix:///PATH`: the agent's API, by default at CONSUL_HTTP_ADDR, else
 * 127.0.0.1:8500; token, login and TLS from Consul's own variables.
 * @throws {ExitError} code 1
 */
export async function openConsul(
  uri: string,
  { compat = false }: Pick<RegistryOptions, "compat">,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<OpenRegistry> {
  const socket = /^consul-unix:(?:\/\/)?([^?#]*)/i.exec(uri)?.[1];
  const target = socket === undefined ? consulTarget(uri, env) : consulSocket(socket, env);
  const [endpoint = "", ...more] = target.endpoints;
  // Services belong to an agent: at another one they would be another node's.
  if (more.length > 0) throw new ExitError(1, `bad adapter uri: consul takes one agent, this host's: ${target.url}`);
  const { unix, tls } = target;
  const tenancy = tenancyOf(uri, env);
  const send = socketFetch({ ...(unix === undefined ? {} : { unix }), ...(tls ? { tls } : {}) });
  const ask = async (method: string, path: string, signal: AbortSignal, body?: unknown) => {
    const sent = send(`${endpoint}${withTenancy(path, tenancy)}`, {
      method,
      signal,
      headers: { ...target.headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const response = await sent.catch((error: unknown) => {
      // Who gave it up knows why.
      if (signal.aborted && signal.reason?.name !== "TimeoutError") throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreError("unavailable", `consul ${unix ?? endpoint} cannot be reached: ${reason}`, { cause: error });
    });
    const text = await response.text();
    if (!response.ok) throw new ConsulError(response.status, text.trim().slice(0, 300));
    return { text, index: response.headers.get("x-consul-index") ?? "" };
  };
  const call: ConsulCall = async (...request) => (await ask(...request)).text;
  const wait: ConsulWait = async (path, signal) => (await ask("GET", path, signal)).index;
  return {
    registry: consulRegistry(call, { compat, wait }),
    ping: async () => {
      await call("GET", "/v1/status/leader", AbortSignal.timeout(5000));
    },
    close: async () => {},
  };
}

/** Consul Enterprise's namespace and partition: from the URI (`?ns=team&partition=west`), else from CONSUL_NAMESPACE and CONSUL_PARTITION. */
function tenancyOf(uri: string, env: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams(/\?([^#]*)/.exec(uri)?.[1] ?? "");
  const ns = query.get("ns") ?? env.CONSUL_NAMESPACE;
  const partition = query.get("partition") ?? env.CONSUL_PARTITION;
  return new URLSearchParams({ ...(ns ? { ns } : {}), ...(partition ? { partition } : {}) }).toString();
}

function withTenancy(path: string, tenancy: string): string {
  return tenancy === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${tenancy}`;
}
