import type { ChangeReason, HistoryEntry } from "../discovery.ts";

interface Cause {
  why: ChangeReason;
  detail?: string;
}

/**
 * The last changes of each service and why. Bounded twice: so many for a service, and so many in all (then the service that has
 * been quiet the longest loses its history). Who is about to change something says why beforehand, by `expect`.
 */
export class History {
  readonly #perService: number;
  readonly #inAll: number;
  readonly #entries = new Map<string, HistoryEntry[]>();
  readonly #expected = new Map<string, Cause>();
  #size = 0;

  constructor(perService = 64, inAll = 8192) {
    this.#perService = perService;
    this.#inAll = inAll;
  }

  of(service: string): HistoryEntry[] {
    return this.#entries.get(service)?.slice() ?? [];
  }

  add(service: string, entry: HistoryEntry): void {
    const entries = this.#entries.get(service) ?? [];
    this.#entries.delete(service); // to the end: the quietest come first
    this.#entries.set(service, entries);
    entries.push(entry);
    this.#size++;
    if (entries.length > this.#perService) {
      entries.shift();
      this.#size--;
    }
    while (this.#size > this.#inAll) {
      const [quietest] = this.#entries;
      if (!quietest) return;
      this.#entries.delete(quietest[0]);
      this.#size -= quietest[1].length;
    }
  }

  /** Why the next change of this instance will come. */
  expect(service: string, id: string, cause: Cause): void {
    if (this.#expected.size >= 65_536) this.#expected.clear(); // writes that never came back
    this.#expected.set(`${service}/${id}`, cause);
  }

  /** The cause that was told beforehand, once. */
  take(service: string, id: string): Cause | undefined {
    if (this.#expected.size === 0) return undefined;
    const key = `${service}/${id}`;
    const cause = this.#expected.get(key);
    if (cause) this.#expected.delete(key);
    return cause;
  }
}
