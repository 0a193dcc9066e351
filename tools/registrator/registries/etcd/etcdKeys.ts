import { openStore } from "../../../../lib/store/openStore.ts";
import type { Store } from "../../../../lib/store/store.ts";
import { etcd2Backend } from "../etcd2/etcd2Backend.ts";
import { Etcd2Client } from "../etcd2/etcd2Client.ts";
import { etcd3Backend } from "../etcd3/etcd3Backend.ts";
import { SharedLease } from "../etcd3/sharedLease.ts";
import type { RegistryOptions } from "../openRegistry.ts";
import type { KeyBackend } from "../stamped/keyBackend.ts";
import type { EtcdEndpoint } from "./etcdEndpoint.ts";

/** Which of etcd's two stores: they know nothing of each other's keys. */
export type EtcdApi = "v2" | "v3";

/** Stamps lie below it. The v2 API hides what begins with an underscore from who lists its parent. */
export const stampPrefix = "/_registrator";

export interface EtcdKeys {
  /** Finds out which API is used. */
  ready(signal: AbortSignal): Promise<void>;
  /** @throws {Error} before it is ready */
  api(): EtcdApi;
  backend: KeyBackend;
  close(): Promise<void>;
}

/**
 * The keys below `root` in etcd: by the v2 keys API where the server has it, since that is the original's, else by v3.
 *
 * @param asked "auto", or the one that the URI names
 */
export function etcdKeys(
  { target, storeUrl }: EtcdEndpoint,
  root: string,
  asked: EtcdApi | "auto",
  { ttl, ttlRefresh, log }: RegistryOptions,
): EtcdKeys {
  const client = new Etcd2Client(target);
  let api = asked === "auto" ? undefined : asked;
  let store: Store | undefined;
  let lease: SharedLease | undefined;
  let chosen: KeyBackend | undefined;
  let closed = false;

  const backend = (): KeyBackend => {
    if (!chosen) throw new Error("etcd did not answer yet");
    return chosen;
  };

  return {
    async ready(signal) {
      if (chosen) return;
      api ??= (await client.hasV2(signal)) ? "v2" : "v3";
      if (api === "v2") {
        const directories = [stampPrefix + root, root || "/"];
        chosen = etcd2Backend({ client, directories, ttl, ttlRefresh });
      } else {
        store = await openStore(storeUrl, { log });
        if (closed) return void (await store.close());
        if (ttl > 0) lease = new SharedLease(store, ttl * 1000, ttlRefresh * 1000, log);
        chosen = etcd3Backend({ store, prefixes: [`${stampPrefix}${root}/`, `${root}/`], lease });
      }
      log.info(`etcd: keys are kept by its ${api} API`, { endpoint: target.url });
    },
    api() {
      if (!chosen || !api) throw new Error("etcd did not answer yet");
      return api;
    },
    backend: {
      /** Of v3 it is the lease that is kept alive. */
      get heartbeatMs() {
        return chosen?.heartbeatMs;
      },
      ping: (signal) => backend().ping(signal),
      list: (signal) => backend().list(signal),
      write: (puts, signal) => backend().write(puts, signal),
      remove: (keys, signal) => backend().remove(keys, signal),
      changes: (signal) => backend().changes(signal),
    },
    async close() {
      closed = true;
      lease?.close();
      await store?.close();
    },
  };
}
