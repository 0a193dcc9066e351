import { type DnsRecord, labelsOf, rcode, rrType, type Zone } from "../../../lib/dns/index.ts";
import { type AddressIndex, canonical } from "./addressIndex.ts";

export interface ReverseZoneOptions {
  addresses: Pick<AddressIndex, "at">;
  /** The origin of the names that are answered. */
  origin: string;
  /** In seconds. Default 0. */
  ttl?: number | undefined;
}

/**
 * The names of addresses (RFC 1035 section 3.5, RFC 3596 section 2.5): PTR to `ID.SVC._i.ORIGIN`, which leads back to the
 * address, one for each usable instance there. Addresses of no instance are not ours: they go on to other servers.
 *
 * @example
 * const zones = createReverseZones({ addresses, origin: "discoverd" }); // in-addr.arpa and ip6.arpa
 */
export function createReverseZones({ addresses, origin, ttl = 0 }: ReverseZoneOptions): Zone[] {
  return ["in-addr.arpa", "ip6.arpa"].map((reverse) => ({
    origin: reverse,
    async answer({ name, type }) {
      const address = addressOf(labelsOf(name.toLowerCase()));
      const found = address === undefined ? [] : await addresses.at(address);
      if (found.length === 0) return undefined;
      const wanted = type === rrType.PTR || type === rrType.ANY;
      const answers = found.map(
        ({ service, id }): DnsRecord => ({ type: "PTR", name, ttl, target: `${id}.${service}._i.${origin}` }),
      );
      return { rcode: rcode.NOERROR, answers: wanted ? answers : [], authority: [], additionals: [] };
    },
  }));
}

/** The address that a reverse name stands for; undefined when it is none. */
function addressOf(labels: readonly string[]): string | undefined {
  const parts = labels.slice(0, -2).reverse();
  if (labels.at(-2) === "in-addr") {
    const isWhole = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
    return isWhole ? parts.join(".") : undefined;
  }
  if (parts.length !== 32 || !parts.every((part) => /^[0-9a-f]$/.test(part))) return undefined;
  const words = parts.join("").match(/.{4}/g) ?? [];
  return canonical(words.join(":"));
}
