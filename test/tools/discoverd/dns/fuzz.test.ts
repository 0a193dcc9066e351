import { expect, test } from "bun:test";
import { createResponder } from "../../../../lib/dns/index.ts";
import { createDiscoverdZone } from "../../../../tools/discoverd/dns/discoverdZone.ts";
import { fuzzPackets } from "../../../lib/dns/fuzzPackets.ts";

test("20,000 hostile packets: each is met with silence or with a reply to it, and no zone ever throws", async () => {
  const failures: unknown[] = [];
  const web = [{ id: "a1", addr: "10.0.0.1:80", proto: "tcp", index: 1 }];
  const reader = {
    instances: (service: string) => (service === "web" ? web : undefined),
    leader: () => undefined,
    index: () => 1,
  };
  const zones = ["discoverd", "service.consul"].map((origin) => createDiscoverdZone({ origin, reader }));
  const respond = createResponder({ zones, cacheBytes: 1 << 16, onFailure: (_name, error) => failures.push(error) });
  let replies = 0;
  for (const packet of fuzzPackets(7, 20_000)) {
    const reply = await respond(packet, { clientAddress: "127.0.0.1", transport: "udp" });
    if (!reply) continue;
    replies++;
    expect([reply[0], reply[1], (reply[2] ?? 0) & 0x80]).toEqual([packet[0], packet[1], 0x80]);
    expect(reply.length).toBeLessThanOrEqual(1232);
  }
  expect(failures).toEqual([]);
  expect(replies).toBeGreaterThan(5000);
});
