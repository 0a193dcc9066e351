import { type Context, ExitError, type Options, UsageError } from "../../../lib/cli/index.ts";
import { longNames } from "../../../lib/cli/names.ts";
import { parseValue } from "../../../lib/cli/parseValue.ts";
import { type OpenRegistry, openRegistry } from "../registries/openRegistry.ts";
import type { RegistratorOptions } from "../startRegistrator.ts";
import { checkFlags, type DaemonFlags, settingsOf } from "./settings.ts";

/** What the command line says of registries. */
export interface RegistryFlags extends DaemonFlags {
  /** The one argument, as the original has it. */
  uri: string | undefined;
  /** Further ones. */
  registry: string[];
}

export interface OpenedRegistry {
  uri: string;
  opened: OpenRegistry;
  options: RegistratorOptions;
}

/** Queries that a registry reads itself: they speak of its connection. */
const connection = new Set(["tls", "ca", "cert", "key", "token-file", "ns", "partition"]);

/**
 * Opens the registry that is the argument, and those of `-registry`; each with the flags, and with what its URI's query says instead:
 * `consul://127.0.0.1?internal&network=backend&tags=inner`.
 *
 * @param own the flags that a registry may have for itself
 * @throws {UsageError} there is none; an address, a network or the filter cannot be read
 * @throws {ExitError} code 1: one cannot be
 */
export async function openRegistries(
  { log }: Pick<Context, "log">,
  values: RegistryFlags,
  own: Options,
): Promise<OpenedRegistry[]> {
  const uris = [...(values.uri ? [values.uri] : []), ...values.registry];
  if (uris.length === 0) throw new UsageError("Missing required argument for registry URI.", { showUsage: true });
  const opened: OpenedRegistry[] = [];
  try {
    for (const uri of uris) {
      const flags = { ...values, ...overrides(uri, own, (name) => log.warn(`no setting of a registry: ${name}`)) };
      checkFlags(flags);
      const options = await settingsOf(flags);
      const { hostnameIp = "", internal, hostname } = options;
      // As Debian's /etc/hosts has it.
      if (!internal && isLoopback(hostnameIp)) {
        log.warn(`"${hostname}" resolves to ${hostnameIp}, which other hosts cannot reach: give -ip`);
      }
      const { ttl, ttlRefresh, compat } = flags;
      opened.push({
        uri: withoutSecrets(uri),
        opened: await openRegistry(uri, { ttl, ttlRefresh, compat, log: log.child("registry") }),
        options,
      });
    }
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
  return opened;
}

export async function closeAll(opened: readonly OpenedRegistry[]): Promise<void> {
  await Promise.all(opened.map((each) => each.opened.close()));
}

/** What a URI's query sets, by the flags' keys. The original took any query and heeded none: what is unknown is told of. */
function overrides(uri: string, own: Options, unknown: (name: string) => void): Partial<DaemonFlags> {
  const query = /\?([^#]*)/.exec(uri)?.[1] ?? "";
  const found: Record<string, unknown> = {};
  for (const [name, text] of new URLSearchParams(query)) {
    if (connection.has(name)) continue;
    const entry = Object.entries(own).find(([key, option]) => key === name || longNames(key, option).includes(name));
    if (!entry) {
      unknown(name);
      continue;
    }
    const [key, option] = entry;
    try {
      const value = option.kind === "flag" && text === "" ? true : parseValue(option, text);
      found[key] = option.settings.multiple ? [...((found[key] as unknown[]) ?? []), value] : value;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ExitError(1, `bad adapter uri: ${name}: ${reason}`, { cause: error });
    }
  }
  return found;
}

const isLoopback = (ip: string) => ip.startsWith("127.") || ip === "::1";

/** For the log: what stands before the @ is for the registry alone. */
export function withoutSecrets(uri: string): string {
  return uri.replace(/^([^:/?#]+:\/\/)[^/?#]*@/, "$1");
}
