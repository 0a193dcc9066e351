import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { prefixEnd } from "../prefixEnd.ts";
import type { Entry, Lease, LeaseId, Revision } from "../store.ts";
import type { Change } from "../watchBuffer.ts";

interface Row {
  key: string;
  value: Uint8Array;
  create_rev: number;
  mod_rev: number;
  lease: string | null;
}

/** The store's tables as functions. Keys sort by their UTF-8 bytes, as in etcd. */
export class Tables {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  begin(): void {
    this.#run("BEGIN IMMEDIATE");
  }

  commit(): void {
    this.#run("COMMIT");
  }

  /** Harmless when SQLite has rolled back by itself, as it does when the disk is full. */
  rollback(): void {
    if (this.#db.isTransaction) this.#run("ROLLBACK");
  }

  revisions(): { rev: Revision; compactRev: Revision } {
    const row = this.#sql("SELECT rev, compact_rev FROM meta").get() as { rev: number; compact_rev: number };
    return { rev: row.rev, compactRev: row.compact_rev };
  }

  setRevision(rev: Revision): void {
    this.#run("UPDATE meta SET rev = ?", rev);
  }

  get(key: string): Entry | undefined {
    const row = this.#sql("SELECT * FROM kv WHERE key = ?").get(key) as Row | undefined;
    return row && toEntry(row);
  }

  list(prefix: string): Entry[] {
    const rows = this.#sql("SELECT * FROM kv WHERE key >= ? AND key < CAST(? AS TEXT) ORDER BY key");
    return (rows.all(prefix, prefixEnd(prefix)) as unknown as Row[]).map(toEntry);
  }

  /** Whether it was not there: else nothing is written. */
  add(entry: Entry): boolean {
    const { key, value, createRev, modRev, lease = null } = entry;
    return this.#run("INSERT OR IGNORE INTO kv VALUES (?, ?, ?, ?, ?)", key, value, createRev, modRev, lease) > 0;
  }

  put(entry: Entry): void {
    const { key, value, createRev, modRev, lease = null } = entry;
    const insert = "INSERT INTO kv VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE";
    this.#run(
      `${insert} SET value = excluded.value, create_rev = excluded.create_rev, mod_rev = excluded.mod_rev, lease = excluded.lease`,
      key,
      value,
      createRev,
      modRev,
      lease,
    );
  }

  /** Whether it was there. */
  delete(key: string, rev: Revision): boolean {
    if (this.#run("DELETE FROM kv WHERE key = ?", key) === 0) return false;
    this.#run("INSERT INTO deleted VALUES (?, ?, unixepoch())", rev, key);
    return true;
  }

  keysUnder(prefix: string): string[] {
    const rows = this.#sql("SELECT key FROM kv WHERE key >= ? AND key < CAST(? AS TEXT)");
    return (rows.all(prefix, prefixEnd(prefix)) as unknown as Row[]).map((row) => row.key);
  }

  /** Reads all rows: leases end seldom, and an index on them would double the price of every put. */
  keysOf(lease: LeaseId): string[] {
    const rows = this.#sql("SELECT key FROM kv WHERE lease = ?").all(lease) as unknown as Row[];
    return rows.map((row) => row.key);
  }

  leases(): Lease[] {
    const rows = this.#sql("SELECT id, ttl_ms FROM lease").all() as unknown as { id: string; ttl_ms: number }[];
    return rows.map((row) => ({ id: row.id, ttlMs: row.ttl_ms }));
  }

  hasLease(id: LeaseId): boolean {
    return this.#sql("SELECT 1 FROM lease WHERE id = ?").get(id) !== undefined;
  }

  addLease(lease: Lease): void {
    this.#run("INSERT INTO lease VALUES (?, ?)", lease.id, lease.ttlMs);
  }

  /** Whether it was there. */
  removeLease(id: LeaseId): boolean {
    return this.#run("DELETE FROM lease WHERE id = ?", id) > 0;
  }

  /** The last change of each key under a prefix after `from`, by revision. */
  changesSince(prefix: string, from: Revision): Change[] {
    const end = prefixEnd(prefix);
    const under = "key >= ? AND key < CAST(? AS TEXT)";
    const puts = this.#sql(`SELECT * FROM kv INDEXED BY kv_by_rev WHERE mod_rev > ? AND ${under}`);
    const gone = this.#sql(`SELECT max(rev) AS mod_rev, key FROM deleted WHERE rev > ? AND ${under} GROUP BY key`);
    const changes = new Map<string, Change>();
    for (const row of gone.all(from, prefix, end) as unknown as Row[]) {
      changes.set(row.key, { type: "delete", key: row.key, rev: row.mod_rev });
    }
    for (const row of puts.all(from, prefix, end) as unknown as Row[]) {
      changes.set(row.key, { type: "put", entry: toEntry(row) }); // made again after it was deleted
    }
    return [...changes.values()].sort((a, b) => revOf(a) - revOf(b));
  }

  /** Forgets deletions beyond `keep` and older than `maxAgeS`; replay then begins at the returned revision. */
  trim(keep: number, maxAgeS: number): Revision {
    const nth = this.#sql("SELECT rev FROM deleted ORDER BY rev DESC LIMIT 1 OFFSET ?").get(keep);
    const old = this.#sql("SELECT max(rev) AS rev FROM deleted WHERE at < unixepoch() - ?").get(maxAgeS);
    const rev = Math.max(Number(nth?.rev ?? 0), Number(old?.rev ?? 0));
    this.#run("UPDATE meta SET compact_rev = max(compact_rev, ?)", rev);
    this.#run("DELETE FROM deleted WHERE rev <= ?", rev);
    return this.revisions().compactRev;
  }

  close(): void {
    this.#prepared.clear();
    this.#db.close();
  }

  /** Rows changed. */
  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#sql(sql).run(...values).changes);
  }

  #sql(text: string): StatementSync {
    let statement = this.#prepared.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#prepared.set(text, statement);
    }
    return statement;
  }
}

const revOf = (change: Change): Revision => (change.type === "put" ? change.entry.modRev : change.rev);

function toEntry(row: Row): Entry {
  const entry: Entry = { key: row.key, value: row.value, createRev: row.create_rev, modRev: row.mod_rev };
  if (row.lease !== null) entry.lease = row.lease;
  return entry;
}
