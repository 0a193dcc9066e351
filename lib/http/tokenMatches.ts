import { createHash, timingSafeEqual } from "node:crypto";

/** Whether `Authorization: Bearer TOKEN` shows this token; takes the same time whatever is wrong. */
export function tokenMatches(authorization: string | null | undefined, token: string): boolean {
  const shown = /^Bearer +(\S{1,4096}) *$/i.exec(authorization ?? "")?.[1] ?? "";
  // Hashes have one length, which timingSafeEqual needs.
  return timingSafeEqual(digest(shown), digest(token)) && shown !== "";
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
