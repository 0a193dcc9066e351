import { createHash } from "node:crypto";
import { EntryRefused } from "../registry.ts";

/** A DNS label (RFC 1035, 2.3.1; digits first as RFC 1123 allows). */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * A name as one DNS label: lower case, what is no letter or digit a dash. One that is too long is cut, and told apart by eight letters of
 * its hash. One that is a label already stays.
 * @throws {EntryRefused} nothing is left
 *
 * @example
 * dnsSafe("host:web-1:80"); // "host-web-1-80"
 */
export function dnsSafe(name: string): string {
  if (label.test(name)) return name;
  const clean = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  if (clean === "") {
    throw new EntryRefused(
      `no letter of ${JSON.stringify(name.slice(0, 64))} can stand in a DNS name: a-z, 0-9 and - can`,
    );
  }
  if (clean.length <= 63) return clean;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${clean.slice(0, 54).replace(/-+$/, "")}-${hash}`;
}
