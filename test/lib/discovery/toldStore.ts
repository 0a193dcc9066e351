import { configKey, instanceKey } from "../../../lib/discovery/engine/keys.ts";
import { type EngineOptions, openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { encodeValue } from "../../../lib/discovery/engine/storedValues.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Entry, Store, StoreEvent } from "../../../lib/store/store.ts";
import { FakeClock } from "./fakeClock.ts";
import { instanceAt } from "./helpers.ts";

const entry = (key: string, value: object, rev: number): Entry => ({
  key,
  value: encodeValue(value),
  createRev: rev,
  modRev: rev,
});

export const config = (service: string, rev: number) => entry(configKey(service), { leader_type: "oldest" }, rev);
export const registered = (service: string, addr: string, rev: number) =>
  entry(instanceKey(service, instanceAt(addr).id), { addr, proto: "tcp" }, rev);
export const reset = (rev: number, ...entries: Entry[]): StoreEvent => ({ type: "reset", snapshot: { rev, entries } });
export const put = (one: Entry): StoreEvent => ({ type: "put", entry: one });
export const progress = (rev: number): StoreEvent => ({ type: "progress", rev });

/** An engine over a store whose watch says what `tell` is given; that of a store without order across keys, or of one with. */
export async function toldEngine(
  first: StoreEvent,
  { ordered, ...options }: { ordered: boolean } & Omit<EngineOptions, "clock">,
) {
  const inner = await openStore("memory:");
  const { readable, writable } = new TransformStream<StoreEvent, StoreEvent>();
  const writer = writable.getWriter();
  const capabilities = { ...inner.capabilities, orderedAcrossKeys: ordered };
  const store: Store = new Proxy(inner, {
    get(target, name) {
      if (name === "watch") return () => readable;
      if (name === "capabilities") return capabilities;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const tell = async (...events: StoreEvent[]) => {
    for (const event of events) await writer.write(event);
  };
  void tell(first);
  const engine = await openEngine(store, { clock: new FakeClock(), ...options });
  const close = async () => {
    void writer.close(); // whoever reads it: a test that failed must not wait for that
    await engine.close();
    await inner.close();
  };
  return { engine, tell, close };
}
