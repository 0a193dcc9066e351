import { readFile } from "node:fs/promises";
import type { Discovery } from "../../../lib/discovery/discovery.ts";
import {
  createResponder,
  type DnsAddress,
  type DnsServer,
  Forwarder,
  parseDnsAddress,
  resolvConfServers,
  serveDns,
  withoutSelf,
} from "../../../lib/dns/index.ts";
import { AddressIndex } from "./addressIndex.ts";
import { createDiscoverdZone, type InstanceReader } from "./discoverdZone.ts";
import { createReverseZones } from "./reverseZone.ts";

export interface DiscoveryDnsOptions {
  /** With `watch`, addresses have names too (PTR). */
  reader: InstanceReader & Partial<Pick<Discovery, "watch">>;
  /** UDP and TCP are served at each. At least one. */
  listen: readonly DnsAddress[];
  /**
   * Where other names go, in order: "IP" or "IP:PORT"; "resolv.conf" stands for the name servers of /etc/resolv.conf. Our own
   * addresses are left out. Empty or absent: other names are refused.
   */
  upstreams?: readonly string[];
  /** As in DiscoverdZoneOptions: addresses of names that are no services, by asker. */
  names?: (name: string, clientAddress: string) => readonly string[] | undefined;
  /** Of our records, in seconds. Default 0, as the original. */
  ttl?: number | undefined;
  /** How long clients may keep "there is none", in seconds. Default 0. */
  negativeTtl?: number | undefined;
  log?: { warn(message: string, fields?: Record<string, unknown>): void };
}

export interface DiscoveryDns {
  readonly addresses: readonly DnsAddress[];
  readonly upstreams: readonly DnsAddress[];
  /** Serves at one more address (a Docker network that appeared). @throws {Error} EADDRINUSE, EADDRNOTAVAIL, EACCES */
  add(listen: DnsAddress): Promise<DnsServer>;
  close(): void;
}

/**
 * Serves the zones `discoverd` and `service.consul` (the same services), and the names of their addresses, by DNS.
 * @throws {DnsError} bad_address; {Error} EADDRINUSE, EADDRNOTAVAIL, EACCES
 *
 * @example
 * const dns = await serveDiscoveryDns({ reader: discovery, listen: [{ hostname: "127.0.0.1", port: 5353 }], upstreams: ["resolv.conf"] });
 */
export async function serveDiscoveryDns(options: DiscoveryDnsOptions): Promise<DiscoveryDns> {
  const { reader, names, log, listen, ttl, negativeTtl } = options;
  const wanted = (await Promise.all((options.upstreams ?? []).map(readUpstream))).flat();
  const upstreams = withoutSelf(wanted, listen);
  if (wanted.length > 0 && upstreams.length === 0) {
    log?.warn("DNS: every upstream is this server itself; other names are refused", { upstreams: options.upstreams });
  }
  const closed = new AbortController();
  const respond = createResponder({
    zones: [
      ...["discoverd", "service.consul"].map((origin) =>
        createDiscoverdZone({ origin, reader, names, ttl, negativeTtl }),
      ),
      ...(hasWatch(reader)
        ? createReverseZones({
            addresses: new AddressIndex({
              discovery: reader,
              signal: closed.signal,
              onFailure: (error) => log?.warn("DNS: the index of addresses is made anew", { reason: String(error) }),
            }),
            origin: "discoverd",
            ttl,
          })
        : []),
    ],
    ...(upstreams.length > 0 ? { forwarder: new Forwarder({ upstreams }) } : {}),
    onFailure: (name, error) => log?.warn("DNS: no answer", { name, reason: String(error) }),
  });

  const servers = new Set<DnsServer>();
  const add = async (address: DnsAddress): Promise<DnsServer> => {
    const server = await serveDns({ listen: address, respond });
    const own: DnsServer = {
      address: server.address,
      close() {
        servers.delete(own);
        server.close();
      },
    };
    servers.add(own);
    return own;
  };
  const close = () => {
    closed.abort();
    for (const server of servers) server.close();
  };
  try {
    for (const address of listen) await add(address);
  } catch (error) {
    close();
    throw error;
  }
  return {
    get addresses() {
      return [...servers].map((server) => server.address);
    },
    upstreams,
    add,
    close,
  };
}

function hasWatch(reader: DiscoveryDnsOptions["reader"]): reader is InstanceReader & Pick<Discovery, "watch"> {
  return reader.watch !== undefined;
}

async function readUpstream(text: string): Promise<DnsAddress[]> {
  if (text !== "resolv.conf") return [parseDnsAddress(text)];
  try {
    return resolvConfServers(await readFile("/etc/resolv.conf", "utf8"));
  } catch {
    // No such file: then the system has no name servers to ask either.
    return [];
  }
}
