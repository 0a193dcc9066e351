import type { Entry, Registry } from "../registries/registry.ts";
import type { Step } from "./planOf.ts";

export interface ReconcilerOptions {
  registry: Registry;
  /** Told of every write that had its effect, and of each first failure. */
  onStep?: (step: Step, error?: unknown) => void;
  /** Told once of every entry that a dry run leaves. */
  onSpared?: (entry: Entry) => void;
  /** Told whenever nothing is left to be written. */
  onIdle?: () => void;
  /** Told of every list: undefined: it was read; else why it was not. */
  onRead?: (failure: string | undefined) => void;
  /** Everything is listed anew this often, in ms. Default 180,000. */
  resyncMs?: number;
  /** Writes at a time. Default 16. */
  concurrency?: number;
  /** Default 10,000. */
  callTimeoutMs?: number;
  /** Waits between tries: first, and at most. Defaults 200 and 30,000. */
  retryFirstMs?: number;
  retryCapMs?: number;
  /** While the registry is away: how long one look for it may take. Default 700. */
  pingMs?: number;
}

export type EntryState = { state: "registered" | "pending" } | { state: "refused" | "failing"; reason: string };

export interface RegistryStatus {
  name: string;
  /** Whether the registry was read since the start. */
  synced: boolean;
  /** Entries there that are ours. */
  registered: number;
  /** Writes that wait for a further try. */
  failing: number;
  lastError?: string;
  /** ms since the epoch. */
  lastErrorAt?: number;
  /** Since the start: writes that had their effect, those that failed, and how many of all were further tries. */
  writes: number;
  failures: number;
  retries: number;
}
