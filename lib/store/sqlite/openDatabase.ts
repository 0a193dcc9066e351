import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../storeError.ts";
import { sqliteError } from "./sqliteError.ts";

/** "qsid", so that a database of somebody else is not taken for ours. */
const applicationId = 0x71736964;
const formatVersion = 2;

// Rows stand in the order in which they came, so that a lot of new ones fills whole pages; only the index on their keys, which are as
// good as random, is written all over.
const kv = `
  CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, create_rev INTEGER NOT NULL, mod_rev INTEGER NOT NULL,
    lease TEXT);
  CREATE INDEX kv_by_rev ON kv (mod_rev);
`;

// `deleted` and the index on mod_rev are the revision log: what changed after a revision is every row with a greater
// mod_rev and every deletion since. Values are not written twice. Age is in seconds since the epoch.
const schema = `
  ${kv}
  CREATE TABLE deleted (rev INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (rev, key)) WITHOUT ROWID;
  CREATE TABLE lease (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (rev INTEGER NOT NULL, compact_rev INTEGER NOT NULL);
  INSERT INTO meta VALUES (0, 0);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

/** Format 1 kept the rows by their keys. */
const fromFormat1 = `
  DROP INDEX IF EXISTS kv_by_lease;
  DROP INDEX kv_by_rev;
  ALTER TABLE kv RENAME TO kv_1;
  ${kv}
  INSERT INTO kv SELECT key, value, create_rev, mod_rev, lease FROM kv_1 ORDER BY mod_rev;
  DROP TABLE kv_1;
  PRAGMA user_version = ${formatVersion};
`;

/**
 * Opens (or makes) the file, and holds it against every other process until it is closed or this process ends.
 * `file` ":memory:" is nobody else's.
 *
 * @throws {StoreError} bad_url, in_use, unauthorized, corrupt, unavailable; each names the file
 */
export function openDatabase(file: string, synchronous: "FULL" | "NORMAL"): DatabaseSync {
  if (file !== ":memory:") checkPath(file);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file);
    // Exclusive: the watch is in this process, so a second writer's changes would never be seen. It also needs no
    // shared memory. The lock is the kernel's, so a killed process leaves none behind.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(
      `PRAGMA synchronous = ${synchronous}; PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -4000`,
    );
    db.exec("BEGIN IMMEDIATE");
    const found = pragma(db, "application_id");
    const tables = db.prepare("SELECT count(*) AS n FROM sqlite_master").get() as { n: number };
    if (found === 0 && tables.n === 0) db.exec(schema);
    else if (found !== applicationId)
      throw new StoreError("corrupt", `store ${file}: the database is not a store of ours`);
    const version = pragma(db, "user_version");
    if (version > formatVersion) {
      throw new StoreError(
        "corrupt",
        `store ${file}: its format ${version} is newer than this program's ${formatVersion}`,
      );
    }
    if (version < formatVersion) db.exec(fromFormat1);
    db.exec("COMMIT");
    return db;
  } catch (error) {
    db?.close();
    const told = sqliteError(error, file);
    if (told.code !== "in_use") throw told;
    const holder = holderOf(file);
    const who = holder === process.pid ? "this process holds it already" : `process ${holder} holds it`;
    throw new StoreError("in_use", `store ${file}: ${holder === undefined ? "another process holds it" : who}`);
  }
}

function checkPath(file: string): void {
  const directory = dirname(file);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new StoreError("bad_url", `store ${file}: there is no directory ${directory}`);
  }
  const there = statSync(file, { throwIfNoEntry: false });
  if (there && !there.isFile()) throw new StoreError("bad_url", `store ${file}: it is not a file`);
  for (const path of there ? [directory, file] : [directory]) {
    try {
      accessSync(path, constants.W_OK); // the directory too: the write-ahead log is made beside the file
    } catch (error) {
      const why = error instanceof Error && "code" in error ? ` (${error.code})` : "";
      throw new StoreError("unauthorized", `store ${file}: ${path} cannot be written${why}`, { cause: error });
    }
  }
}

function pragma(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get() as Record<string, number> | undefined;
  return row?.[name] ?? 0;
}

/** Who locks the file, from Linux' lock table (`1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF`). */
function holderOf(file: string): number | undefined {
  try {
    const { ino } = statSync(file);
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const [, pid, inode] = /WRITE\s+(\d+)\s+\w+:\w+:(\d+)\s/.exec(line) ?? [];
      if (pid !== undefined && Number(inode) === ino && Number(pid) > 0) return Number(pid);
    }
  } catch {
    // No lock table on this system: the message does without the pid.
  }
  return undefined;
}
