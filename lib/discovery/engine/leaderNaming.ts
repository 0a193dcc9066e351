import type { Store } from "../../store/store.ts";
import type { Catalog } from "./catalog.ts";
import type { EngineLog } from "./engineLog.ts";
import { instanceKey, leaderKey } from "./keys.ts";
import { encodeValue } from "./storedValues.ts";

/** Names the next leader of an "oldest" service whose named leader has gone, or has come only now (see leaderOf); the first daemon to do so wins. */
export class LeaderNaming {
  readonly #store: Store;
  readonly #catalog: Catalog;
  readonly #log: EngineLog;
  readonly #waiting = new Set<string>();

  constructor(store: Store, catalog: Catalog, log: EngineLog) {
    this.#store = store;
    this.#catalog = catalog;
    this.#log = log;
  }

  add(service: string): void {
    this.#waiting.add(service);
    this.run();
  }

  /** Tries what is waiting; what fails waits for the next run. */
  run(): void {
    for (const service of this.#waiting) {
      this.#waiting.delete(service);
      void this.#name(service);
    }
  }

  async #name(service: string): Promise<void> {
    const { named, toName: id } = this.#catalog.service(service) ?? {};
    if (!named || id === undefined) return;
    const key = leaderKey(service);
    try {
      await this.#store.txn({
        if: [
          { key, modRev: named.rev },
          { key: instanceKey(service, id), exists: true },
        ],
        then: [{ op: "put", key, value: encodeValue({ id }) }],
      });
    } catch (error) {
      this.#log.debug("the next leader is not named yet", { service, error: String(error) });
      this.#waiting.add(service);
    }
  }
}
