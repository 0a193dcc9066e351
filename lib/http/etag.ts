import { Problem } from "./problem.ts";

/** The entity tag of a revision or index: `"7"`. */
export function etagOf(revision: string | number): string {
  return `"${String(revision).replace(/[^\x21\x23-\x7e]/g, "_")}"`;
}

/** A 304 when the client already has this revision (If-None-Match), else undefined: go on and send it with the ETag. */
export function notModified(request: Request, etag: string): Response | undefined {
  const known = request.headers.get("if-none-match");
  if (known === null || !lists(known, etag)) return undefined;
  return new Response(null, { status: 304, headers: { etag } });
}

/**
 * Holds a change to If-Match and If-None-Match. `etag` is undefined when the thing does not exist.
 * @throws {Problem} precondition_failed.
 */
export function checkPrecondition(request: Request, etag: string | undefined): void {
  const match = request.headers.get("if-match");
  const noneMatch = request.headers.get("if-none-match");
  const failed =
    (match !== null && (etag === undefined || !lists(match, etag))) ||
    (noneMatch !== null && etag !== undefined && lists(noneMatch, etag));
  if (!failed) return;
  throw new Problem("precondition_failed", etag === undefined ? "It does not exist" : `It is at ${etag} now`, {
    detail: { etag: etag ?? null },
  });
}

function lists(header: string, etag: string): boolean {
  return header.split(",").some((one) => {
    const tag = one.trim().replace(/^W\//, "");
    return tag === "*" || tag === etag;
  });
}
