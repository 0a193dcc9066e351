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
/** How long a new network's routes wait for the answer; then it is taken as an ordinary one. */
const patienceMs = 500;

interface Entry {
  fact: NetworkFact | undefined;
  asking: boolean;
  askedAt: number;
}

/** Asks the engine once about each network: neither fact of a network ever changes. */
export class NetworkFacts {
  readonly #inspector: NetworkInspector | undefined;
  readonly #changed: () => void;
  readonly #known = new Map<string, Entry>();

  constructor(inspector: NetworkInspector | undefined, changed: () => void) {
    this.#inspector = inspector;
    this.#changed = changed;
  }

  /** undefined: not known yet, but will be in a moment. */
  find(networkId: string): NetworkFact | undefined {
    const entry = this.#known.get(networkId);
    if (entry?.fact) return entry.fact;
    const soon = this.#inspector && (!entry || (entry.asking && Date.now() - entry.askedAt < patienceMs));
    return soon ? undefined : { internal: false, isolated: false };
  }

  /** Keeps exactly these known. */
  keep(networkIds: ReadonlySet<string>): void {
    if (!this.#inspector) return;
    for (const id of this.#known.keys()) if (!networkIds.has(id)) this.#known.delete(id);
    for (const id of networkIds) {
      const entry = this.#known.get(id);
      const due = !entry || (!entry.fact && !entry.asking && Date.now() - entry.askedAt >= retryMs);
      if (due) void this.#ask(id, this.#inspector);
    }
  }

  async #ask(id: string, inspector: NetworkInspector): Promise<void> {
    const entry: Entry = { fact: undefined, asking: true, askedAt: Date.now() };
    this.#known.set(id, entry);
    const patience = setTimeout(this.#changed, patienceMs);
    try {
      const { internal, options } = await inspector.inspectNetwork(id, { timeoutMs });
      entry.fact = { internal, isolated: options["com.docker.network.bridge.enable_icc"] === "false" };
    } catch {
      // Asked again later; until then it is taken as an ordinary network.
    } finally {
      entry.asking = false;
      clearTimeout(patience);
      this.#changed();
    }
  }
}
