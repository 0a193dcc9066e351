import { isIPv6 } from "../../../../lib/runtime/ipAddress.ts";
import type { Service } from "../../services/service.ts";
import { EntryRefused } from "../registry.ts";

/** What the longest keys of the registries have room for. */
const maxBytes = 400;

/**
 * `NAME/ID`, as the original makes it.
 * @throws {EntryRefused} it would be no key below the registry's root, or one that nobody can read
 */
export function serviceKey({ name, id }: Service): string {
  for (const [what, text] of Object.entries({ name, ID: id })) {
    const shown = JSON.stringify(text.slice(0, 64));
    if (text === "" || /\p{Cc}/u.test(text) || !text.isWellFormed()) {
      throw new EntryRefused(`the ${what} ${shown} cannot be a part of a key`);
    }
    if (text.split("/").some((part) => part === "" || part === "." || part === "..")) {
      throw new EntryRefused(`the ${what} ${shown} would be a key of its own place`);
    }
  }
  const key = `${name}/${id}`;
  if (Buffer.byteLength(key) > maxBytes) throw new EntryRefused(`its key would be longer than ${maxBytes} bytes`);
  return key;
}

/** `10.0.0.1:80`, `[fd00::1]:80`: as Go's net.JoinHostPort. */
export function joinHostPort(host: string, port: number): string {
  return `${host.includes(":") || isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** The parts of a key below the root, for people. */
export function readKey(key: string, root: string): { service: string; id: string } {
  const below = key.startsWith(root) ? key.slice(root.length).replace(/^\//, "") : key;
  const slash = below.lastIndexOf("/");
  return slash < 0 ? { service: below, id: below } : { service: below.slice(0, slash), id: below.slice(slash + 1) };
}
