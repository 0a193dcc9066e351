import type { StoreOptions } from "../openStore.ts";
import type { Store } from "../store.ts";
import { EtcdStore, type EtcdTuning } from "./etcdStore.ts";
import { etcdUrl } from "./etcdUrl.ts";

/** Does not wait for the servers: calls fail with `unavailable`, and `status()` tells, until one answers. @throws {StoreError} bad_url */
export async function openEtcd(url: string, options: StoreOptions, tuning: EtcdTuning = {}): Promise<Store> {
  return new EtcdStore(etcdUrl(url, options.env ?? process.env), options.log, tuning);
}
