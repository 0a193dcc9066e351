import { expect, test } from "bun:test";
import type { KeyBackend, Pair } from "../../../../tools/registrator/registries/stamped/keyBackend.ts";
import { stampedRegistry } from "../../../../tools/registrator/registries/stamped/stampedRegistry.ts";

test("an entry that is written while an older list is under way can be taken out again", async () => {
  const stored = new Map<string, Pair>();
  let version = 0;
  let answer = Promise.withResolvers<void>();
  const backend: KeyBackend = {
    ping: async () => {},
    async list() {
      const seen = new Map(stored);
      await answer.promise;
      return seen;
    },
    async write(puts) {
      return puts.map(({ key, value }) => {
        const pair = { value, version: ++version };
        stored.set(key, pair);
        return pair;
      });
    },
    async remove(keys) {
      for (const { key } of keys) stored.delete(key);
    },
    async *changes() {},
  };
  const registry = stampedRegistry({
    name: "keys",
    backend,
    stampPrefix: "/_registrator",
    write: ({ name }) => ({ key: `/${name}`, value: "10.0.0.1:80" }),
    read: ({ key, value }) => ({ service: key.slice(1), id: key, address: value }),
  });
  const service = { id: "a", name: "web", ip: "10.0.0.1", port: 80, proto: "tcp", tags: [], attrs: {}, ttl: 0 };
  const origin = { owner: "us", containerId: "c", containerName: "web-1" };
  const entry = registry.entryOf({ ...service, exposedPort: "80" }, origin);
  const { signal } = new AbortController();

  const listing = registry.list(signal);
  await registry.register(entry, signal);
  answer.resolve();
  await listing;
  await registry.deregister(entry, signal);
  expect([...stored.keys()]).toEqual([]);

  answer = Promise.withResolvers();
  answer.resolve();
  expect(await registry.list(signal)).toEqual([]);
});
