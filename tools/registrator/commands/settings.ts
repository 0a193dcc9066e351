import { hostname as ownHostname } from "node:os";
import { ExitError, UsageError } from "../../../lib/cli/index.ts";
import { isIP, isIPv6 } from "../../../lib/runtime/ipAddress.ts";
import { type Filter, parseFilter } from "../services/filter.ts";
import { hostAddress } from "../services/hostAddress.ts";
import { parseSubnet } from "../services/subnet.ts";
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

/**
 * @throws {UsageError} an address, a network or the filter cannot be read
 * @throws {ExitError} code 1: the tag template cannot be parsed
 */
export async function settingsOf(flags: DaemonFlags): Promise<RegistratorOptions> {
  checkAddresses(flags);
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

/**
 * One wrong address would refuse every container, or be passed over: it is told at the start. The original takes any text for `-ip`.
 * @throws {UsageError}
 */
function checkAddresses({ ip, ip6, wan, network, compat }: DaemonFlags): void {
  const isAddress = (text: string) => isIP(text) !== 0 && !text.includes("%");
  const expect = (flag: string, text: string | undefined, what: string, fits: (text: string) => boolean) => {
    if (text && !fits(text)) throw new UsageError(`-${flag} ${JSON.stringify(text)}: expected ${what}`);
  };
  if (!compat) expect("ip", ip, "an IP address", isAddress);
  expect("ip6", ip6, "an IPv6 address", (text) => isAddress(text) && isIPv6(text));
  expect("wan", wan, "an IP address", isAddress);
  for (const word of (network ?? "").split(",").map((each) => each.trim())) {
    if (word.startsWith("label:") || !word.includes("/")) continue;
    expect("network", word, "a subnet like 10.0.0.0/8", (text) => parseSubnet(text) !== undefined);
  }
}

function filterOf(text: string): Filter {
  try {
    return parseFilter(text);
  } catch (error) {
    throw new UsageError(`-filter: ${error instanceof Error ? error.message : String(error)}`);
  }
}
