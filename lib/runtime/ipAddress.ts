// node:net has these too, but costs 4 MB and 2 ms of a start to load.

const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const v4 = new RegExp(`^${octet}(\\.${octet}){3}$`);

/** Four decimal numbers from 0 to 255, without leading zeros. */
export function isIPv4(text: string): boolean {
  return v4.test(text);
}

/** An IPv6 address without brackets; a zone ("%eth0") is allowed. */
export function isIPv6(text: string): boolean {
  const [address = "", zone, ...more] = text.split("%");
  if (more.length > 0 || (zone !== undefined && !/^[\w.-]{1,32}$/.test(zone))) return false;
  return /^[\da-f:.]{2,45}$/i.test(address) && address.includes(":") && URL.canParse(`http://[${address}]/`);
}

/** 4, 6, or 0 when it is no address: as node:net's `isIP`. */
export function isIP(text: string): 0 | 4 | 6 {
  return isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0;
}
