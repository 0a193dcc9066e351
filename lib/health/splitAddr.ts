/** "[::1]:80" -> ::1 and 80. @throws {TypeError} when it is not host:port. */
export function splitAddr(addr: string): { hostname: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(addr);
  const port = Number(match?.[3]);
  const hostname = match?.[1] ?? match?.[2];
  if (hostname === undefined || port > 65_535) throw new TypeError(`${JSON.stringify(addr)} is not host:port`);
  return { hostname, port };
}
