import { hostname as ownHostname } from "node:os";
import { ExitError } from "../../../lib/cli/index.ts";
import { type Filter, parseFilter } from "../services/filter.ts";
import { hostAddress } from "../services/hostAddress.ts";
import type { RegistratorOptions } from "../startRegistrator.ts";
import { checkTags } from "../template/renderTags.ts";

/** The daemon's flags, as the command line gives them. */
export interface DaemonFlags {
  ip: string | undefined;
  internal: boolean;
  explicit: boolean;
  useIpFromLabel: string | undefined;
  tags: string | undefined;
  ttl: number;
  ttlRefresh: number;
  ip6: string | undefined;
  wan: string | undefined;
  family: "ipv4" | "ipv6";
  network: string | undefined;
  bindings: "all" | "first";
  filter: string | undefined;
  optIn: boolean;
  portless: boolean;
  unhealthy: "keep" | "remove";
  paused: "keep" | "maintenance" | "remove";
  stopping: "keep" | "maintenance" | "remove";
  hostname: string | undefined;
  compat: boolean;
  resync: number;
  deregister: string;
  retryAttempts: number | undefined;
  retryInterval: number;
  owner: string | undefined;
  cleanup: boolean;
  cleanupDryRun: boolean;
}

/**
 * Checks the flags in the original's order, with its messages.
 * @throws {ExitError} code 1
 */
export function checkFlags(flags: DaemonFlags): void {
  const { ttl, ttlRefresh, retryInterval, deregister } = flags;
  if ((ttl === 0) !== (ttlRefresh === 0))
    throw new ExitError(1, "-ttl and -ttl-refresh must be specified together or not at all");
  if (ttl !== 0 && ttl <= ttlRefresh) throw new ExitError(1, "-ttl must be greater than -ttl-refresh");
  if (retryInterval <= 0) throw new ExitError(1, "-retry-interval must be greater than 0");
  if (deregister !== "always" && deregister !== "on-success") {
    throw new ExitError(1, '-deregister must be "always" or "on-success"');
  }
}

/** @throws {ExitError} code 1: the tag template or the filter cannot be parsed */
export async function settingsOf(flags: DaemonFlags): Promise<RegistratorOptions> {
  await checkTags(flags.tags ?? "").catch((error: unknown) => {
    throw new ExitError(1, `-tags: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  const hostname = flags.hostname ?? ownHostname();
  return {
    hostname,
    hostnameIp: flags.ip ? undefined : await hostAddress(hostname),
    hostIp: flags.ip ?? "",
    internal: flags.internal,
    hostIp6: flags.ip6 ?? "",
    wanIp: flags.wan ?? "",
    family: flags.family,
    network: flags.network ?? "",
    bindings: flags.bindings,
    ...(flags.filter ? { filter: filterOf(flags.filter) } : {}),
    optIn: flags.optIn,
    portless: flags.portless,
    unhealthy: flags.unhealthy,
    paused: flags.paused,
    stopping: flags.stopping,
    explicit: flags.explicit,
    ipLabel: flags.useIpFromLabel ?? "",
    tags: flags.tags ?? "",
    ttl: flags.ttl,
    compat: flags.compat,
    cleanup: flags.cleanupDryRun ? "dry-run" : flags.cleanup ? "adopt" : "ours",
    deregister: flags.deregister === "on-success" ? "on-success" : "always",
    ...(flags.resync > 0 ? { resyncMs: flags.resync * 1000 } : {}),
  };
}

function filterOf(text: string): Filter {
  try {
    return parseFilter(text);
  } catch (error) {
    throw new ExitError(1, `-filter: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
