import { lookup } from "node:dns/promises";

const refreshMs = 10_000;
const mostNames = 1024;

/** The addresses of the host names that static routes name, looked up again every 10 s; the last ones stay while a look-up fails. */
export class HostNames {
  readonly #changed: () => void;
  readonly #known = new Map<string, { addresses: string[]; askedAt: number }>();
  #asking = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  resolve(host: string): readonly string[] {
    return this.#known.get(host)?.addresses ?? [];
  }

  /** Keeps exactly these names known; returns at once. */
  keep(hosts: ReadonlySet<string>): void {
    for (const host of this.#known.keys()) if (!hosts.has(host)) this.#known.delete(host);
    for (const host of hosts)
      if (!this.#known.has(host) && this.#known.size < mostNames) this.#known.set(host, { addresses: [], askedAt: 0 });
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const [host, entry] of [...this.#known]) {
        if (Date.now() - entry.askedAt < refreshMs) continue;
        entry.askedAt = Date.now();
        const addresses = await addressesOf(host);
        if (!addresses || addresses.join() === entry.addresses.join()) continue;
        entry.addresses = addresses;
        this.#changed();
      }
    } finally {
      this.#asking = false;
    }
  }
}

/** Sorted; undefined when the look-up failed. The system's resolver has time limits of its own (resolv.conf). */
async function addressesOf(host: string): Promise<string[] | undefined> {
  try {
    return (await lookup(host, { all: true, family: 4 })).map(({ address }) => address).sort();
  } catch {
    return undefined; // the route's note says that the name has no address
  }
}
