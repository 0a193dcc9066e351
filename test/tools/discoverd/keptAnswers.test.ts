import { afterEach, expect, test } from "bun:test";
import { silentLogger } from "../../../lib/cli/logger.ts";
import { createResponder } from "../../../lib/dns/index.ts";
import type { StoreEvent } from "../../../lib/store/store.ts";
import { createDiscoverdZone } from "../../../tools/discoverd/dns/discoverdZone.ts";
import { createConsulFace } from "../../../tools/discoverd/faces/consul/consulFace.ts";
import { config, progress, put, registered, reset, toldEngine } from "../../lib/discovery/toldStore.ts";
import { waitFor } from "../../testbed/waitFor.ts";

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

/** "web.discoverd A IN". */
const question = Uint8Array.from([
  ...[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  ...[3, ...Buffer.from("web"), 9, ...Buffer.from("discoverd"), 0, 0, 1, 0, 1],
]);

const web = (rev: number, addr: string) => reset(rev, config("web", 1), registered("web", addr, rev));

/** What DNS and Consul's face say of "web", after each of the store's doings. */
async function faces(ordered: boolean) {
  const { engine, tell, close } = await toldEngine(web(10, "10.0.0.1:80"), { ordered });
  undo.push(close);
  const respond = createResponder({ zones: [createDiscoverdZone({ origin: "discoverd", reader: engine })] });
  const node = { name: "n", address: "127.0.0.1" };
  const face = createConsulFace(engine, { node, version: "1", peers: () => [], log: silentLogger });
  undo.unshift(() => face.close());
  const ask = async (path: string) => {
    const response = await face.fetch(new Request(`http://127.0.0.1:1111${path}`));
    const entries = (await response.json()) as { Service: { Address: string } }[];
    return {
      index: Number(response.headers.get("x-consul-index")),
      addresses: entries.map(({ Service }) => Service.Address).join(),
    };
  };
  return {
    engine,
    /** Tells the store's events, and waits for the instances that they leave. */
    async told(addresses: string, ...events: StoreEvent[]) {
      await tell(...events);
      const now = () => engine.instances("web")?.map(({ addr }) => addr.split(":")[0]);
      await waitFor(() => engine.ready && now()?.join() === addresses, { what: addresses });
    },
    async dns() {
      const reply = await respond(question, { clientAddress: "127.0.0.1", transport: "udp" });
      const count = reply ? ((reply[6] ?? 0) << 8) | (reply[7] ?? 0) : 0;
      const bytes = reply?.slice(question.length) ?? new Uint8Array();
      return Array.from({ length: count }, (_, i) => bytes.slice(i * 16 + 12, i * 16 + 16).join("."))
        .sort()
        .join();
    },
    consul: (after = 0) => ask(`/v1/health/service/web${after > 0 ? `?index=${after}&wait=5s` : ""}`),
  };
}

test("several steps of one revision: DNS and Consul's face show each, and who waits gets it", async () => {
  const { told, dns, consul } = await faces(false);
  await told("10.0.0.1");
  let before = await consul();
  let addresses = "10.0.0.1";
  for (let i = 2; i < 5; i++) {
    expect(await dns()).toBe(addresses);
    const waiting = consul(before.index);
    addresses += `,10.0.0.${i}`;
    await told(addresses, put(registered("web", `10.0.0.${i}:80`, 10 + i)), progress(10));
    expect(await dns()).toBe(addresses);
    const woken = await waiting;
    expect(woken.addresses).toBe(addresses);
    expect(await consul(before.index)).toEqual(woken);
    before = woken;
  }
});

test("a store that was replaced and came to the very same index: nothing that was kept is taken for its state", async () => {
  const { engine, told, dns, consul } = await faces(true);
  await told("10.0.0.1");
  expect(await dns()).toBe("10.0.0.1");
  expect((await consul()).addresses).toBe("10.0.0.1");
  const index = engine.index("web");
  await told("10.0.0.2", web(5, "10.0.0.2:80"), put(registered("web", "10.0.0.2:80", 10)), progress(10));
  await waitFor(() => engine.index("web") === index, { what: "the very same index" });
  expect(await dns()).toBe("10.0.0.2");
  expect(await consul()).toEqual({ index, addresses: "10.0.0.2" });
});
