import dnsPacket from "dns-packet";

const names = [
  "web.discoverd",
  "_web._tcp.discoverd",
  "leader.web.discoverd",
  "1.0.0.10.in-addr.arpa",
  "web.service.consul",
  "example.org",
];
const types = ["A", "AAAA", "SRV", "ANY", "SOA", "PTR", "TXT"] as const;

/** `count` packets, the same for the same seed: noise by turns with questions that were spoilt. At most 600 bytes each. */
export function* fuzzPackets(seed: number, count: number): Generator<Uint8Array> {
  const random = generator(seed);
  const below = (n: number) => Math.floor(random() * n);
  for (let i = 0; i < count; i++) {
    if (i % 2 === 0) {
      yield Uint8Array.from({ length: below(200) }, () => below(256));
      continue;
    }
    const good = dnsPacket.encode({
      type: "query",
      id: below(65_536),
      flags: below(65_536) & 0x7fff & ~0x7800,
      questions: [{ type: types[below(types.length)] as "A", name: names[below(names.length)] ?? "" }],
      additionals:
        below(2) === 0
          ? []
          : [
              {
                type: "OPT",
                name: ".",
                udpPayloadSize: below(65_536),
                extendedRcode: 0,
                ednsVersion: 0,
                flags: 0,
                flag_do: false,
                options: [],
              },
            ],
    });
    const packet = Uint8Array.from(good);
    for (let changes = below(4); changes > 0; changes--) packet[below(packet.length)] = below(256);
    const fate = below(9);
    if (fate < 3) yield packet.subarray(0, below(packet.length + 1));
    else if (fate < 5) yield Uint8Array.from([...packet, ...Array.from({ length: below(400) }, () => below(256))]);
    else yield packet;
  }
}

/** Small and good enough: mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
