/**
 * One object for many equal ones: thousands of instances have few daemons, protocols and metas. Bounded; what is forgotten is merely no
 * longer shared with newcomers.
 */
export class Intern {
  readonly #words = new Map<string, string>();
  readonly #metas = new Map<string, Record<string, string>>();
  readonly #limit: number;

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  word(word: string): string {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    if (this.#words.size >= this.#limit) this.#words.clear();
    this.#words.set(word, word);
    return word;
  }

  /** The object is shared from now on, and never changed. */
  meta(meta: Record<string, string>): Record<string, string> {
    let key = "";
    for (const name in meta) key += `${name}\0${meta[name]}\0`;
    if (key.length > 512) return meta;
    const known = this.#metas.get(key);
    if (known) return known;
    if (this.#metas.size >= this.#limit) this.#metas.clear();
    this.#metas.set(key, meta);
    return meta;
  }
}

/** A string of its own: a part of a longer one would keep all of that in memory. */
export function ownString(part: string): string {
  return Buffer.from(part, "utf8").toString("utf8");
}
