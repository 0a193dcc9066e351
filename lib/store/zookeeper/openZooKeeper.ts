import type { StoreOptions } from "../openStore.ts";
import type { Store } from "../store.ts";
import { ZooKeeperStore, type ZooKeeperTuning } from "./zooKeeperStore.ts";
import { zooKeeperUrl } from "./zooKeeperUrl.ts";

/** Does not wait for the servers: calls fail with `unavailable`, and `status()` tells, until one answers. @throws {StoreError} bad_url */
export async function openZooKeeper(url: string, options: StoreOptions, tuning: ZooKeeperTuning = {}): Promise<Store> {
  return new ZooKeeperStore(zooKeeperUrl(url, options.env ?? process.env), options.log, tuning);
}
