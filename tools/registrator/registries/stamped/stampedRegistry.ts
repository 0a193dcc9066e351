import { z } from "zod";
import type { Service } from "../../services/service.ts";
import type { Change, Entry, Origin, Registry } from "../registry.ts";
import type { KeyBackend, Pair, Put } from "./keyBackend.ts";

/** What an entry says, as it stands in the registry. */
export interface Written {
  key: string;
  value: string;
}

export interface StampedRegistryOptions {
  name: string;
  backend: KeyBackend;
  /** Goes before an entry's key to make its stamp's: "/_registrator". */
  stampPrefix: string;
  /** @throws {EntryRefused} */
  write: (service: Service, origin: Origin) => Written;
  /** For people; never throws. */
  read: (written: Written) => { service: string; id: string; address: string };
  ready?: (signal: AbortSignal) => Promise<void>;
}

const stampFormat = z.object({ owner: z.string().min(1), container: z.string(), name: z.string() });

/**
 * A registry whose entries are keys with values that others read, and that therefore stay as they are. Whose an entry is stands beside
 * it, at a key of its own: `STAMPPREFIX KEY` holds `{"owner","container","name"}`. Stamps are written with their entry, or before it, and
 * removed with it, or after it: there is no entry of ours without a stamp.
 */
export function stampedRegistry(options: StampedRegistryOptions): Registry<Written> {
  const { backend, stampPrefix, name } = options;
  /** What is there as far as we know, stamps too. */
  let known = new Map<string, Pair>();
  const writing = new Map<string, Promise<unknown>>();
  /** Keys written while a list is under way: it may be older than they are. */
  let touched = new Set<string>();
  const stampOf = (key: string) => stampPrefix + key;
  const baseOf = (key: string) => (key.startsWith(stampPrefix) ? key.slice(stampPrefix.length) : key);

  function found(key: string): Entry<Written> | undefined {
    const pair = known.get(key);
    const stamp = known.get(stampOf(key));
    if (!pair && !stamp) return undefined;
    const { owner = "", container = "", name: containerName = "" } = stamp ? parseStamp(stamp.value) : {};
    const written = { key, value: pair?.value ?? "" };
    return {
      key,
      owner,
      containerId: container,
      containerName,
      ...options.read(written),
      // A stamp alone is what is left of a write that broke off.
      fingerprint: JSON.stringify([pair?.value, stamp?.value, ...(pair?.stale || stamp?.stale ? ["stale"] : [])]),
      ...(pair ? { looks: pair.value } : {}),
      payload: written,
    };
  }

  /** One write a key at a time; news of the key waits for it. */
  async function alone(key: string, work: () => Promise<void>): Promise<void> {
    const done = work();
    const quiet = done.catch(() => {}); // its caller hears it
    writing.set(key, quiet);
    touched.add(key);
    try {
      await done;
    } finally {
      if (writing.get(key) === quiet) writing.delete(key);
    }
  }

  return {
    name,
    get heartbeatMs() {
      return backend.heartbeatMs;
    },
    ping: (signal) => backend.ping(signal),
    ...(options.ready ? { ready: options.ready } : {}),

    entryOf(service, origin) {
      const written = options.write(service, origin);
      const { owner, containerId, containerName } = origin;
      const stamp = JSON.stringify({ owner, container: containerId, name: containerName.toWellFormed() });
      return {
        key: written.key,
        owner,
        containerId,
        containerName,
        ...options.read(written),
        service: service.name,
        id: service.id,
        fingerprint: JSON.stringify([written.value, stamp]),
        looks: written.value,
        payload: written,
      };
    },

    async list(signal) {
      touched = new Set(writing.keys());
      const fresh = await backend.list(signal);
      for (const key of touched) {
        for (const each of [key, stampOf(key)]) {
          const pair = known.get(each);
          if (pair) fresh.set(each, pair);
          else fresh.delete(each);
        }
      }
      known = fresh;
      const entries = new Map<string, Entry<Written>>();
      for (const each of fresh.keys()) {
        const key = baseOf(each);
        const entry = entries.has(key) ? undefined : found(key);
        if (entry) entries.set(key, entry);
      }
      return [...entries.values()];
    },

    async register({ key, payload, owner, containerId, containerName }, signal) {
      const stamp = JSON.stringify({ owner, container: containerId, name: containerName.toWellFormed() });
      const puts: Put[] = [
        { key: stampOf(key), value: stamp, version: known.get(stampOf(key))?.version ?? 0 },
        { key, value: payload.value, version: known.get(key)?.version ?? 0 },
      ];
      await alone(key, async () => {
        const pairs = await backend.write(puts, signal);
        puts.forEach((put, i) => {
          const pair = pairs[i];
          if (pair) known.set(put.key, pair);
        });
      });
    },

    async deregister({ key }, signal) {
      const keys = [key, stampOf(key)].flatMap((each) => {
        const version = known.get(each)?.version;
        return version === undefined ? [] : [{ key: each, version }];
      });
      await alone(key, async () => {
        await backend.remove(keys, signal);
        for (const each of keys) known.delete(each.key);
      });
    },

    async *changes(signal): AsyncGenerator<Change<Written> | undefined> {
      for await (const change of backend.changes(signal)) {
        if (!change) {
          yield undefined;
          continue;
        }
        const key = baseOf(change.key);
        await writing.get(key);
        const before = known.get(change.key);
        if (change.pair ? before && before.version >= change.version : !before || before.version > change.version)
          continue;
        if (change.pair) known.set(change.key, change.pair);
        else known.delete(change.key);
        const entry = found(key);
        yield entry ? { key, entry } : { key };
      }
    },
  };
}

function parseStamp(text: string): Partial<z.infer<typeof stampFormat>> {
  try {
    return stampFormat.parse(JSON.parse(text));
  } catch {
    // Not ours: then nobody's.
    return {};
  }
}
