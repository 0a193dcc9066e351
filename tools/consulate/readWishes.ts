import { UsageError } from "../../lib/cli/index.ts";
import { isIP } from "../../lib/runtime/ipAddress.ts";
import type { DnsWish } from "./keepDns.ts";

/**
 * `--dns`: "auto", "none", or an address.
 * @throws {UsageError} naming what is wrong with it
 *
 * @example
 * dnsWish("172.17.0.1:53"); // { hostname: "172.17.0.1", port: 53 }
 */
export function dnsWish(text: string): DnsWish | "none" {
  if (text === "auto" || text === "none") return text;
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const hostname = v6 ?? v4 ?? "";
  const number = Number(port ?? 53);
  if (isIP(hostname) === 0 || number > 65_535) {
    throw new UsageError(
      `--dns "${text}": auto, none, or an IP address with a port from 0 to 65535 is needed, such as 172.17.0.1:53`,
    );
  }
  return { hostname, port: number };
}

/** `--advertise`. @throws {UsageError} unless it is an IP address */
export function hostIp(text: string | undefined): string | undefined {
  if (text !== undefined && isIP(text) === 0) throw new UsageError(`--advertise "${text}": an IP address is needed`);
  return text;
}
