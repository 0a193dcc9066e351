import { ExitError, type Logger } from "../../../lib/cli/index.ts";
import type { Registry } from "./registry.ts";

export interface RegistryOptions {
  /** Seconds, `-ttl` and `-ttl-refresh`; 0: the registry's own habit. */
  ttl: number;
  ttlRefresh: number;
  log: Logger;
}

export interface OpenRegistry {
  registry: Registry;
  /** Whether it answers. @throws what it says instead */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const consul = async (uri: URL) => (await import("./consul/openConsul.ts")).openConsul(uri);

/** One line a kind of registry; its code is loaded when its scheme is used. */
const schemes: Readonly<Record<string, (uri: URL, options: RegistryOptions) => Promise<OpenRegistry>>> = {
  discoverd: async (uri, options) => (await import("./discovery/openDiscovery.ts")).openDiscovery(uri, options),
  consul,
  "consul-tls": consul,
  "consul-unix": consul,
};

/**
 * The registry that a URI names.
 * @throws {ExitError} code 1, with the original's messages
 *
 * @example
 * await openRegistry("discoverd://127.0.0.1:1111", { ttl: 0, ttlRefresh: 0, log });
 */
export async function openRegistry(text: string, options: RegistryOptions): Promise<OpenRegistry> {
  // Go takes a URI without a scheme; its scheme is then "", which no adapter has.
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) throw new ExitError(1, `unrecognized adapter: ${text}`);
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  const open = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined;
  if (!open) throw new ExitError(1, `unrecognized adapter: ${text}`);
  if (!URL.canParse(text)) throw new ExitError(1, `bad adapter uri: ${text}`);
  return open(new URL(text), options);
}
