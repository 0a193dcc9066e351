import { resolve } from "node:path";
import type { StoreOptions } from "../openStore.ts";
import type { Store } from "../store.ts";
import { StoreError } from "../storeError.ts";
import { openDatabase } from "./openDatabase.ts";
import { sqliteError } from "./sqliteError.ts";
import { SqliteStore, type SqliteTuning } from "./sqliteStore.ts";
import { Tables } from "./tables.ts";

/**
 * `sqlite:FILE`, `sqlite:FILE?synchronous=normal` (a power cut may lose the last commits, a crash of the process none),
 * or `memory:`. The file is made when it is not there, its directory is not.
 *
 * @throws {StoreError} bad_url, in_use, unauthorized, corrupt, unavailable
 */
export async function openSqlite(url: string, options: StoreOptions, tuning: SqliteTuning = {}): Promise<Store> {
  const { file, synchronous } = parse(url);
  const tables = new Tables(openDatabase(file, synchronous));
  try {
    return new SqliteStore(file, tables, options.log, tuning);
  } catch (error) {
    tables.close();
    throw sqliteError(error, file);
  }
}

function parse(url: string): { file: string; synchronous: "FULL" | "NORMAL" } {
  const [scheme, rest = ""] = split(url, ":");
  const [path = "", query] = split(rest, "?");
  if (scheme?.toLowerCase() === "memory") {
    if (rest !== "") throw new StoreError("bad_url", `"memory:" takes nothing behind it, not "${rest}"`);
    return { file: ":memory:", synchronous: "NORMAL" };
  }
  if (path === "" || path === ":memory:")
    throw new StoreError("bad_url", `"sqlite:" needs a file, as in sqlite:state.db`);
  if (path.startsWith("//") && !path.startsWith("///")) {
    throw new StoreError("bad_url", `"sqlite:${path}" names a host; write sqlite:/path/to/file`);
  }
  let synchronous: "FULL" | "NORMAL" = "FULL";
  for (const [name, value] of new URLSearchParams(query ?? "")) {
    const wanted = value.toUpperCase();
    if (name !== "synchronous" || (wanted !== "FULL" && wanted !== "NORMAL")) {
      throw new StoreError(
        "bad_url",
        `"sqlite:" knows ?synchronous=full and ?synchronous=normal, not "${name}=${value}"`,
      );
    }
    synchronous = wanted;
  }
  return { file: resolve(path), synchronous };
}

function split(text: string, by: string): [string, string | undefined] {
  const at = text.indexOf(by);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
