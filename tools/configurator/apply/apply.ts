/**
 * The Apply contract: how a change of configuration reaches a running daemon, with proof, or not at all.
 *
 * Steps, in order: render -> stage -> check -> commit -> swap -> runtime change or reload -> prove. Promised:
 * - Until `commit` nothing that the daemon reads has changed; a failed `check` leaves file, store and daemon untouched.
 * - After `commit` either the daemon is **proved** to run the new configuration, or file, store and daemon are rolled
 *   back together and the outcome says which step failed and what the daemon said.
 * - A reload's exit status is never proof (nginx returns 0 while its master refuses the file): `prove` looks at the
 *   daemon itself.
 * - One apply at a time per daemon; a newer one waits, and those in between are merged.
 */
export interface Applier {
  /** Names of the daemon and of its files, for messages. */
  readonly subject: string;
  apply(change: ConfigChange, signal: AbortSignal): Promise<ApplyOutcome>;
}

export interface ConfigChange {
  /** The revision that the change was made against; refused as a conflict when it is not the newest. */
  base: number;
  /** Rendered files by path, bytes as they will stand on disk. */
  files: ReadonlyMap<string, Uint8Array>;
  /** Who asked and why: kept in the history. */
  author: string;
  reason: string;
}

export type ApplyStep = "render" | "stage" | "check" | "commit" | "swap" | "reload" | "prove";

export type ApplyOutcome =
  | { ok: true; revision: number; how: "runtime" | "reload" | "unchanged"; proof: string; tookMs: number }
  | {
      ok: false;
      failedAt: ApplyStep;
      /** What the daemon or its checker said, trimmed. */
      said: string;
      /** False only when the roll-back failed too: then `said` tells both. */
      rolledBack: boolean;
      tookMs: number;
    };
