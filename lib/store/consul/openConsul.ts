import type { StoreOptions } from "../openStore.ts";
import type { Store } from "../store.ts";
import { ConsulStore, type ConsulTuning } from "./consulStore.ts";
import { consulUrl } from "./consulUrl.ts";

/** Does not wait for the agents: calls fail with `unavailable`, and `status()` tells, until one answers. @throws {StoreError} bad_url */
export async function openConsul(url: string, options: StoreOptions, tuning: ConsulTuning = {}): Promise<Store> {
  return new ConsulStore(consulUrl(url, options.env ?? process.env), options.log, tuning);
}
