import { expect, test } from "bun:test";
import { configKey, instanceKey } from "../../../lib/discovery/engine/keys.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { encodeValue } from "../../../lib/discovery/engine/storedValues.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Entry, Store, StoreEvent } from "../../../lib/store/store.ts";
import { waitFor } from "../../testbed/waitFor.ts";
import { FakeClock } from "./fakeClock.ts";
import { collect, instanceAt } from "./helpers.ts";

const entry = (key: string, value: object, rev: number): Entry => ({
  key,
  value: encodeValue(value),
  createRev: rev,
  modRev: rev,
});
const config = (rev: number) => entry(configKey("web"), { leader_type: "oldest" }, rev);
const registered = (addr: string, rev: number) =>
  entry(instanceKey("web", instanceAt(addr).id), { addr, proto: "tcp" }, rev);

test("a store that was replaced, and has come to the same revision: watchers get its state, not that of before", async () => {
  const inner = await openStore("memory:");
  const { readable, writable } = new TransformStream<StoreEvent, StoreEvent>();
  const writer = writable.getWriter();
  const store: Store = new Proxy(inner, {
    get(target, name) {
      if (name === "watch") return () => readable;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const first: StoreEvent = {
    type: "reset",
    snapshot: { rev: 10, entries: [config(9), registered("10.0.0.1:80", 10)] },
  };
  void writer.write(first);
  const engine = await openEngine(store, { clock: new FakeClock() });
  const watching = new AbortController();
  const stateNow = async () => {
    const { events, short } = collect(engine.watch("web", { signal: watching.signal }));
    await waitFor(() => events.at(-1)?.kind === "current", { what: "the state" });
    return short();
  };
  try {
    await waitFor(() => engine.ready, { what: "the first state" });
    expect(await stateNow()).toEqual(["up 10.0.0.1:80", "leader 10.0.0.1:80", "current"]);
    await writer.write({ type: "reset", snapshot: { rev: 3, entries: [config(3)] } });
    await writer.write({ type: "put", entry: registered("10.0.0.2:80", 10) });
    await writer.write({ type: "progress", rev: 10 });
    await waitFor(() => engine.instances("web")?.[0]?.addr === "10.0.0.2:80", { what: "the new state" });
    expect(await stateNow()).toEqual(["up 10.0.0.2:80", "leader 10.0.0.2:80", "current"]);
  } finally {
    watching.abort();
    await writer.close();
    await engine.close();
    await inner.close();
  }
}, 15_000);
