import type { Instance } from "../../../lib/discovery/discovery.ts";
import { type DnsRecord, type Question, rrType } from "../../../lib/dns/index.ts";
import { isIPv4, isIPv6 } from "../../../lib/runtime/ipAddress.ts";

/** The A or AAAA record of an IP literal, if that is what the question wants; none for what is no such literal. */
export function addressRecords(question: Question, name: string, address: string, ttl: number): DnsRecord[] {
  const { type } = question;
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (isIPv4(v4)) return type === rrType.A || type === rrType.ANY ? [{ type: "A", name, ttl, address: v4 }] : [];
  if (!isIPv6(address) || address.includes("%")) return [];
  return type === rrType.AAAA || type === rrType.ANY ? [{ type: "AAAA", name, ttl, address }] : [];
}

/**
 * The instance's SRV record (priority 1 as in the original; its own weight, else 1) and the host in its address. The target is
 * `ownName`, or the host where that is a name; undefined when it has neither, or no port.
 */
export function srvRecord(
  name: string,
  instance: Instance,
  ownName: string,
  ttl: number,
): { record: DnsRecord & { type: "SRV" }; host: string } | undefined {
  const { host, port } = splitAddress(instance.addr);
  if (port === undefined) return undefined;
  const isAddress = isIPv4(host) || isIPv6(host);
  if (!isAddress && !hostName.test(host)) return undefined;
  const target = isAddress ? ownName : host;
  return { record: { type: "SRV", name, ttl, priority: 1, weight: instance.weight ?? 1, port, target }, host };
}

const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/** `10.0.0.1:80`, `[fd00::1]:80`, `db.example:5432`; without a usable port, `port` is undefined. */
export function splitAddress(addr: string): { host: string; port: number | undefined } {
  const match = /^(?:\[([^\]]*)\]|(.*)):(\d{1,5})$/.exec(addr);
  if (!match) return { host: addr, port: undefined };
  const port = Number(match[3]);
  return { host: match[1] ?? match[2] ?? "", port: port <= 65_535 ? port : undefined };
}

/** The original's SOA; `minimum` and its TTL say how long "there is none" may be kept (RFC 2308). Times in seconds. */
export function soaRecord(origin: string, serial: number, negativeTtl: number): DnsRecord {
  return {
    type: "SOA",
    name: origin,
    ttl: negativeTtl,
    mname: `ns.${origin}`,
    rname: `postmaster.${origin}`,
    serial,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: negativeTtl,
  };
}
