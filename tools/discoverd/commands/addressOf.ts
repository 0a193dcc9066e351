import { networkInterfaces } from "node:os";
import { UsageError } from "../../../lib/cli/usageError.ts";

export interface AddressValues {
  host: string | undefined;
  iface: string | undefined;
}

/** "web:8080": split on the last colon, as sdutil. @throws {UsageError} */
export function nameAndPort(text: string): { name: string; port: number } {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !/^\d{1,5}$/.test(text.slice(colon + 1)) || port < 1 || port > 65_535) {
    throw new UsageError(`specify service in name:port format: ${JSON.stringify(text)}`);
  }
  return { name: text.slice(0, colon), port };
}

/** The host to register: --host, the address of --iface, EXTERNAL_IP; brackets around IPv6. @throws {UsageError} */
export function hostOf({ host, iface }: AddressValues, env: Readonly<Record<string, string | undefined>>): string {
  if (host !== undefined && iface !== undefined) throw new UsageError("specify either -h or -i");
  const found = host ?? (iface === undefined ? env.EXTERNAL_IP : addressOfInterface(iface));
  if (!found) throw new UsageError("no address to register: give -h HOST, -i INTERFACE or set EXTERNAL_IP");
  return found.includes(":") && !found.startsWith("[") ? `[${found}]` : found;
}

function addressOfInterface(name: string): string {
  const addresses = networkInterfaces()[name] ?? [];
  const best = addresses.find(({ family }) => family === "IPv4") ?? addresses.find(({ scopeid }) => scopeid === 0);
  if (best) return best.address;
  const known = Object.keys(networkInterfaces()).join(", ");
  throw new UsageError(`the interface ${JSON.stringify(name)} has no address here (with one: ${known || "none"})`);
}
