import { StoreError, type StoreErrorCode } from "../storeError.ts";

// By text, since Deno's node:sqlite gives no result codes. The first that fits counts.
const kinds: [RegExp, StoreErrorCode, string][] = [
  [/disk is full/i, "unavailable", "no space left on its disk"],
  [/readonly database/i, "unauthorized", "it cannot be written (read-only file, directory or file system)"],
  [/not a database/i, "corrupt", "it is not a SQLite database"],
  [/malformed/i, "corrupt", "it is damaged; restore a copy or remove it"],
  [/unable to open/i, "unauthorized", "it cannot be opened (permissions?)"],
  [/is locked|is busy/i, "in_use", "another process holds it"],
  [/disk I\/O error/i, "unavailable", "its disk fails"],
];

/** Tells what SQLite's error means for the file, in words for a person. */
export function sqliteError(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const [, code, meaning] = kinds.find(([pattern]) => pattern.test(text)) ?? [/./, "unavailable" as const, "it failed"];
  return new StoreError(code, `store ${file}: ${meaning}: ${text}`, { cause: error });
}
