import { Problem } from "./problem.ts";

export interface Page<T> {
  items: T[];
  /** Give it as `?cursor=` for what follows; absent on the last page. */
  next?: string;
}

export interface PageOptions<T> {
  /** What orders the list and names a place in it; unique. */
  key: (item: T) => string;
  /** Default 100. */
  defaultLimit?: number;
  /** Default 1000. */
  maxLimit?: number;
}

/**
 * One page of a list that is sorted by `key`, by the request's `?limit=` and `?cursor=`. The cursor is the last key
 * seen, so that pages stay right while the list changes.
 * @throws {Problem} validation_error.
 */
export function page<T>(request: Request, sorted: readonly T[], options: PageOptions<T>): Page<T> {
  const { searchParams } = new URL(request.url);
  const limit = limitOf(searchParams.get("limit"), options.defaultLimit ?? 100, options.maxLimit ?? 1000);
  const cursor = searchParams.get("cursor");
  const after = cursor === null ? undefined : decodeCursor(cursor);
  const rest = after === undefined ? sorted : sorted.filter((item) => options.key(item) > after);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return last !== undefined && rest.length > limit ? { items, next: encodeCursor(options.key(last)) } : { items };
}

function limitOf(text: string | null, fallback: number, max: number): number {
  if (text === null) return fallback;
  const limit = Number(text);
  if (/^\d{1,9}$/.test(text) && limit >= 1 && limit <= max) return limit;
  throw new Problem("validation_error", `query.limit: expected a number from 1 to ${max}`, {
    detail: { field: "limit" },
  });
}

function encodeCursor(key: string): string {
  return Buffer.from(key).toString("base64url");
}

function decodeCursor(cursor: string): string {
  const key = Buffer.from(cursor, "base64url").toString();
  if (encodeCursor(key) === cursor) return key;
  throw new Problem("validation_error", "query.cursor: not one of ours", { detail: { field: "cursor" } });
}
