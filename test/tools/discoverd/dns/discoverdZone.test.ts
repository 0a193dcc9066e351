import { describe, expect, test } from "bun:test";
import type { Instance } from "../../../../lib/discovery/discovery.ts";
import { rcode, rrType } from "../../../../lib/dns/index.ts";
import { createDiscoverdZone, type InstanceReader } from "../../../../tools/discoverd/dns/discoverdZone.ts";

const web: Instance[] = [
  { id: "a1", addr: "10.0.0.1:80", proto: "tcp", index: 1 },
  { id: "a2", addr: "10.0.0.1:81", proto: "http", index: 2 },
  { id: "a3", addr: "[fd00::1]:80", proto: "tcp", index: 3 },
];
const odd: Instance[] = [
  { id: "b1", addr: "db.example:5432", proto: "tcp" },
  { id: "b2", addr: "not an address", proto: "tcp" },
  { id: "b3", addr: "bad host:1", proto: "tcp" },
  { id: "b4", addr: "[::ffff:10.0.0.9]:1", proto: "tcp" },
];
const reader: InstanceReader = {
  instances: (service) => ({ web, odd, empty: [] as Instance[] })[service],
  leader: (service) => (service === "web" ? { instance: web[0] as Instance, fencingToken: 1 } : undefined),
};
const late: InstanceReader = {
  instances: async (service) => reader.instances(service),
  leader: async (service) => reader.leader(service),
};
const names = (name: string, client: string) =>
  name === "ambassador.discoverd" ? [client === "172.18.0.9" ? "172.18.0.1" : "172.17.0.1"] : undefined;

/** "name type" -> rcode and each record in short, in the zone's order when nothing is shuffled. */
async function ask(
  line: string,
  { origin = "discoverd", transport = "udp" as "udp" | "tcp", client = "172.17.0.9", from = reader } = {},
) {
  const [name = "", type = "A"] = line.split(" ");
  const zone = createDiscoverdZone({ origin, reader: from, names, random: () => 0.999, now: () => 1_700_000_000_500 });
  const number = rrType[type as keyof typeof rrType];
  const answer = await zone.answer({ name, type: number, class: 1 }, { clientAddress: client, transport });
  if (!answer) throw new Error("not of this zone");
  const short = (record: (typeof answer.answers)[number]) => {
    expect(record.ttl).toBe(0);
    if (record.type === "SRV")
      return `${record.name} SRV ${record.priority} ${record.weight} ${record.port} ${record.target}`;
    if (record.type === "A" || record.type === "AAAA") return `${record.name} ${record.type} ${record.address}`;
    return `${record.name} ${record.type}`;
  };
  const code = Object.keys(rcode).find((key) => rcode[key as keyof typeof rcode] === answer.rcode);
  return [code, answer.answers.map(short), answer.authority.map(short), answer.additionals.map(short)];
}

const soa = ["discoverd SOA"];

test("an answer's freshness: the index is asked only when the revision has moved", () => {
  const state = { revision: 1, index: 1, asked: 0 };
  const counted: InstanceReader = {
    ...reader,
    index() {
      state.asked++;
      return state.index;
    },
    revision: () => state.revision,
  };
  const context = { clientAddress: "172.17.0.9", transport: "udp" } as const;
  const zone = createDiscoverdZone({ origin: "discoverd", reader: counted });
  const answer = zone.answer({ name: "web.discoverd", type: rrType.A, class: 1 }, context);
  if (!answer || answer instanceof Promise) throw new Error("not at once");
  const isFresh = () => answer.fresh?.(context);
  for (let i = 0; i < 5; i++) expect(isFresh()).toBe(true);
  expect(state.asked).toBe(2);
  state.revision = 2;
  for (let i = 0; i < 5; i++) expect(isFresh()).toBe(true);
  expect(state.asked).toBe(3);
  Object.assign(state, { revision: 3, index: 3 });
  expect(isFresh()).toBe(false);
});

test("an answer is fresh no more when the indexes went back, though its own is the same number again", () => {
  const state = { revision: 1, epoch: 0 };
  const replaced: InstanceReader = {
    ...reader,
    index: () => 7,
    revision: () => state.revision,
    epoch: () => state.epoch,
  };
  const context = { clientAddress: "172.17.0.9", transport: "udp" } as const;
  const zone = createDiscoverdZone({ origin: "discoverd", reader: replaced });
  const answer = zone.answer({ name: "web.discoverd", type: rrType.A, class: 1 }, context);
  if (!answer || answer instanceof Promise) throw new Error("not at once");
  state.revision = 2;
  expect(answer.fresh?.(context)).toBe(true);
  Object.assign(state, { revision: 3, epoch: 1 });
  expect(answer.fresh?.(context)).toBe(false);
});

describe("the discoverd zone", () => {
  test.each<[string, string, string[]]>([
    ["web.discoverd A", "NOERROR", ["web.discoverd A 10.0.0.1"]],
    ["WEB.Discoverd A", "NOERROR", ["WEB.Discoverd A 10.0.0.1"]],
    ["web.discoverd AAAA", "NOERROR", ["web.discoverd AAAA fd00::1"]],
    [
      "web.discoverd SRV",
      "NOERROR",
      [
        "web.discoverd SRV 1 1 80 a1.web._i.discoverd",
        "web.discoverd SRV 1 1 81 a2.web._i.discoverd",
        "web.discoverd SRV 1 1 80 a3.web._i.discoverd",
      ],
    ],
    [
      "web.discoverd ANY",
      "NOERROR",
      [
        "web.discoverd A 10.0.0.1",
        "web.discoverd AAAA fd00::1",
        "web.discoverd SRV 1 1 80 a1.web._i.discoverd",
        "web.discoverd SRV 1 1 81 a2.web._i.discoverd",
        "web.discoverd SRV 1 1 80 a3.web._i.discoverd",
      ],
    ],
    ["web.discoverd TXT", "NOERROR", []],
    ["_web._http.discoverd SRV", "NOERROR", ["_web._http.discoverd SRV 1 1 81 a2.web._i.discoverd"]],
    ["_web._udp.discoverd A", "NOERROR", []],
    ["leader.web.discoverd A", "NOERROR", ["leader.web.discoverd A 10.0.0.1"]],
    ["Leader.Web.discoverd SRV", "NOERROR", ["Leader.Web.discoverd SRV 1 1 80 Leader.Web.discoverd"]],
    ["a3.web._i.discoverd AAAA", "NOERROR", ["a3.web._i.discoverd AAAA fd00::1"]],
    ["a3.web._i.discoverd SRV", "NOERROR", ["a3.web._i.discoverd SRV 1 1 80 a3.web._i.discoverd"]],
    ["empty.discoverd A", "NOERROR", []],
    ["empty.discoverd SRV", "NOERROR", []],
    ["none.discoverd A", "NXDOMAIN", []],
    ["leader.empty.discoverd A", "NXDOMAIN", []],
    ["zz.web._i.discoverd A", "NXDOMAIN", []],
    ["_web.tcp.discoverd A", "NXDOMAIN", []],
    ["a.b.c.d.discoverd A", "NXDOMAIN", []],
    ["discoverd A", "NOERROR", []],
    // The original answered with an empty record for these.
    ["odd.discoverd A", "NOERROR", ["odd.discoverd A 10.0.0.9"]],
    [
      "odd.discoverd SRV",
      "NOERROR",
      ["odd.discoverd SRV 1 1 5432 db.example", "odd.discoverd SRV 1 1 1 b4.odd._i.discoverd"],
    ],
    ["ambassador.discoverd A", "NOERROR", ["ambassador.discoverd A 172.17.0.1"]],
    ["Ambassador.discoverd AAAA", "NOERROR", []],
  ])("%s: %s", async (line, code, answers) => {
    const expected = [code, answers, answers.length > 0 ? [] : soa, []];
    expect(await ask(line)).toEqual(expected);
    expect(await ask(line, { from: late })).toEqual(expected);
  });

  test("SRV over TCP brings the targets' addresses", async () => {
    expect((await ask("web.discoverd SRV", { transport: "tcp" }))[3]).toEqual([
      "a1.web._i.discoverd A 10.0.0.1",
      "a2.web._i.discoverd A 10.0.0.1",
      "a3.web._i.discoverd AAAA fd00::1",
    ]);
  });

  test("SOA: the original's values", () => {
    const zone = createDiscoverdZone({ origin: "discoverd", reader, now: () => 1_700_000_000_500 });
    expect(
      zone.answer({ name: "web.discoverd", type: rrType.SOA, class: 1 }, { clientAddress: "", transport: "udp" }),
    ).toMatchObject({
      rcode: 0,
      answers: [
        {
          name: "discoverd",
          mname: "ns.discoverd",
          rname: "postmaster.discoverd",
          serial: 1_700_000_000,
          refresh: 3600,
          retry: 600,
          expire: 86_400,
          minimum: 0,
        },
      ],
    });
  });

  test("names by asker", async () => {
    expect((await ask("ambassador.discoverd A", { client: "172.18.0.9" }))[1]).toEqual([
      "ambassador.discoverd A 172.18.0.1",
    ]);
  });

  test("the same services under service.consul", async () => {
    const origin = "service.consul";
    expect((await ask("web.service.consul SRV", { origin }))[1]).toContain(
      "web.service.consul SRV 1 1 80 a1.web._i.service.consul",
    );
    expect((await ask("leader.web.service.consul A", { origin }))[1]).toEqual(["leader.web.service.consul A 10.0.0.1"]);
    expect(await ask("none.service.consul A", { origin })).toEqual(["NXDOMAIN", [], ["service.consul SOA"], []]);
  });

  test("each asking gives another order, over time every instance comes first", async () => {
    const zone = createDiscoverdZone({ origin: "discoverd", reader });
    const firsts = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const answer = await zone.answer(
        { name: "web.discoverd", type: rrType.SRV, class: 1 },
        { clientAddress: "", transport: "udp" },
      );
      const first = answer?.answers[0];
      if (first?.type === "SRV") firsts.add(first.target);
    }
    expect(firsts.size).toBe(3);
  });
});
