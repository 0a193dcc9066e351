import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Engine } from "../../../lib/discovery/engine/engine.ts";
import { openEngine } from "../../../lib/discovery/engine/openEngine.ts";
import { openStore } from "../../../lib/store/openStore.ts";
import type { Store } from "../../../lib/store/store.ts";
import { StoreError } from "../../../lib/store/storeError.ts";
import { FakeClock, settle } from "./fakeClock.ts";
import { instanceAt } from "./helpers.ts";

// A store that does what is asked, and whose answer is lost on the way when all of it is done and seen.
let store: Store;
let isLosing = false;
let clock: FakeClock;
let engine: Engine;

function losingAnswers(inner: Store): Store {
  const answered = async <T>(result: Promise<T>): Promise<T> => {
    const value = await result;
    if (!isLosing) return value;
    await settle();
    throw new StoreError("unavailable", "the answer was lost");
  };
  return new Proxy(inner, {
    get(target, name) {
      if (name === "txn") return (one: Parameters<Store["txn"]>[0]) => answered(target.txn(one));
      if (name === "txnEach") return undefined;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

beforeEach(async () => {
  isLosing = false;
  store = await openStore("memory:");
  clock = new FakeClock();
  engine = await openEngine(losingAnswers(store), { clock });
  await engine.addService("web");
  await engine.register("web", other); // by then it has its lease
  await engine.deregister("web", other.id);
});

afterEach(async () => {
  isLosing = false;
  await engine.close();
  await store.close();
});

const a = instanceAt("10.0.0.1:80");
const b = instanceAt("10.0.0.2:80");
const other = instanceAt("10.0.0.3:80");

test("a registration that was refused but is stored goes after its TTL when no heartbeat comes", async () => {
  isLosing = true;
  await expect(engine.register("web", a)).rejects.toThrow();
  isLosing = false;
  expect(engine.instances("web")).toHaveLength(1);
  await clock.advance(25_000);
  expect(engine.instances("web")).toEqual([]);
  expect(engine.history("web").at(-1)).toMatchObject({ change: "down", why: "heartbeat missed" });
});

test("a batch of which some was stored, too", async () => {
  isLosing = true;
  const outcomes = await engine.registerAll([
    { service: "web", instance: a },
    { service: "web", instance: b },
  ]);
  isLosing = false;
  expect(outcomes.map((outcome) => outcome?.code)).toEqual(["service_unavailable", "service_unavailable"]);
  expect(engine.instances("web")).not.toEqual([]);
  await clock.advance(60_000);
  expect(engine.instances("web")).toEqual([]);
});

test("with heartbeats it stays", async () => {
  isLosing = true;
  await expect(engine.register("web", a)).rejects.toThrow();
  isLosing = false;
  for (let beats = 0; beats < 8; beats++) {
    await clock.advance(5000);
    expect(engine.heartbeat("web", [a.id])).toEqual([]);
  }
  expect(engine.instances("web")).toHaveLength(1);
});
