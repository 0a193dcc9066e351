/** What of a Docker network decides whether the kernel can carry a route. */
export interface NetworkFact {
  internal: boolean;
  isolated: boolean;
}

/** The one call that is needed of a Docker client. */
export interface NetworkInspector {
  inspectNetwork(
    id: string,
    options?: { timeoutMs?: number },
  ): Promise<{ internal: boolean; options: Readonly<Record<string, string>> }>;
}

const retryMs = 5000;
const timeoutMs = 5000;

/** Asks the engine once about each network: neither fact of a network ever changes. Unknown ones are taken as ordinary. */
export class NetworkFacts {
  readonly #inspector: NetworkInspector | undefined;
  readonly #changed: () => void;
  readonly #known = new Map<string, { fact: NetworkFact | undefined; askedAt: number }>();

  constructor(inspector: NetworkInspector | undefined, changed: () => void) {
    this.#inspector = inspector;
    this.#changed = changed;
  }

  find(networkId: string): NetworkFact {
    return this.#known.get(networkId)?.fact ?? { internal: false, isolated: false };
  }

  /** Keeps exactly these known. */
  async keep(networkIds: ReadonlySet<string>): Promise<void> {
    if (!this.#inspector) return;
    for (const id of this.#known.keys()) if (!networkIds.has(id)) this.#known.delete(id);
    const unknown = [...networkIds].filter((id) => {
      const entry = this.#known.get(id);
      return !entry || (!entry.fact && Date.now() - entry.askedAt >= retryMs);
    });
    await Promise.all(unknown.map((id) => this.#ask(id, this.#inspector as NetworkInspector)));
  }

  async #ask(id: string, inspector: NetworkInspector): Promise<void> {
    const entry: { fact: NetworkFact | undefined; askedAt: number } = { fact: undefined, askedAt: Date.now() };
    this.#known.set(id, entry);
    try {
      const { internal, options } = await inspector.inspectNetwork(id, { timeoutMs });
      entry.fact = { internal, isolated: options["com.docker.network.bridge.enable_icc"] === "false" };
      if (entry.fact.internal || entry.fact.isolated) this.#changed();
    } catch {
      // Asked again later; until then it is taken as an ordinary network.
    }
  }
}
