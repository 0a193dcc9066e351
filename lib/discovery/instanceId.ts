import process from "node:process";

/**
 * An instance's id as the original makes it: the lower-case hex MD5 of `proto + "-" + addr`.
 *
 * @example
 * instanceId("tcp", "127.0.0.1:2"); // "35ee81ee2b44f7521139b75e865e3c98"
 */
export function instanceId(proto: string, addr: string): string {
  crypto ??= process.getBuiltinModule("node:crypto");
  return crypto.hash("md5", `${proto}-${addr}`, "hex");
}

/** Loaded with the first id: it is a large part of a daemon's start. */
let crypto: typeof import("node:crypto") | undefined;
