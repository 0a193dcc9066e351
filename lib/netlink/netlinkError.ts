import { constants } from "node:os";

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** "ENOENT" for 2; "errno 999" for a number that has no name here. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/**
 * The kernel refused a netlink request, or the socket call itself failed.
 * `code` is the errno's name ("EPERM", "ENOENT", "EBUSY", ...); the message says which part of the request failed.
 */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly code: string;
  readonly errno: number;

  constructor(what: string, errno: number, detail = "") {
    super(`${what}: ${errnoName(errno)}${detail ? ` (${detail})` : ""}`);
    this.errno = errno;
    this.code = errnoName(errno);
  }
}
