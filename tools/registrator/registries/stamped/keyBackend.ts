/** A key as a registry holds it. */
export interface Pair {
  value: string;
  /** Grows with every write of any key, until the registry is wiped. */
  version: number;
  /** It will not live as long as it should: it has another lease or session, or an expiry too many. It has to be written again. */
  stale?: boolean;
}

/** One key's news; without `pair` it is gone. */
export interface KeyChange {
  key: string;
  version: number;
  pair?: Pair;
}

/** `version` is what has to be there now; 0: nothing. */
export interface Put {
  key: string;
  value: string;
  version: number;
}

/**
 * Keys and texts in etcd, Consul, ZooKeeper: what the stamped registries need of them. Keys are whole.
 */
export interface KeyBackend {
  /** How often each key has to be written again to stay, in ms; absent: never. */
  readonly heartbeatMs?: number | undefined;
  ping(signal: AbortSignal): Promise<void>;
  /**
   * Every key below the stamps' root and the entries' root; the stamps first. What another write makes in between is then an entry
   * without a stamp, which nobody touches, and of which the news tells. Read the other way it would be a stamp alone, as is left of a write that broke
   * off: that is taken away, and its entry would be nobody's for ever.
   */
  list(signal: AbortSignal): Promise<Map<string, Pair>>;
  /**
   * All or none where the registry can, else in their order.
   * @returns each one's new version
   * @throws {KeyConflict} something else is there than was thought
   */
  write(puts: readonly Put[], signal: AbortSignal): Promise<Pair[]>;
  /** In their order; what is gone already is no error. @throws {KeyConflict} */
  remove(keys: readonly { key: string; version: number }[], signal: AbortSignal): Promise<void>;
  /** undefined: anything may have changed. */
  changes(signal: AbortSignal): AsyncIterable<KeyChange | undefined>;
}

/** Somebody wrote the key meanwhile: look again. */
export class KeyConflict extends Error {
  override readonly name = "KeyConflict";
  readonly code = "conflict";

  constructor(key: string) {
    super(`${key} was changed by another meanwhile`);
  }
}
