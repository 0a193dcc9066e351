import {
  addChain,
  addRule,
  addressType,
  addSet,
  addTable,
  conntrackState,
  conntrackStatus,
  deleteTable,
  dnat,
  drop,
  hostU32,
  ipProtocol,
  loadConntrack,
  loadDestination,
  loadDestinationPort,
  loadDestinationType,
  loadPayload,
  loadProtocol,
  loadRandom,
  loadSource,
  loadSourcePort,
  lookup,
  mask,
  masquerade,
  matches,
  type NetlinkRequest,
  type NftExpression,
  type nftType,
  reject,
  remember,
} from "../../../../lib/netlink/index.ts";

/** How many shares a balanced route has: a backend's share is a multiple of 1/64. */
export const slotCount = 64;

type KeyPart = keyof typeof nftType;
const caller: KeyPart[] = ["ipv4Address", "inetProtocol", "inetService"];
const destination: KeyPart[] = ["ipv4Address", "inetService"];

/** The table's sets and maps: all that ever changes. */
export const sets = {
  /** caller . proto . port -> backend, for routes with one backend. */
  fixed: { id: 1, key: caller, value: destination },
  /** caller . proto . port . slot -> backend. */
  spread: { id: 2, key: [...caller, "mark"] as KeyPart[], value: destination },
  /** caller . proto . port without a backend: refused at once, before it reaches something else on the host's port. */
  closed: { id: 3, key: caller },
  /** caller . port whose refused connects are left to the caller's own retransmission, which is balanced anew. */
  again: { id: 4, key: ["ipv4Address", "inetService"] as KeyPart[] },
  /** caller . backend whose packets must come back through this host. */
  hairpin: { id: 5, key: ["ipv4Address", "ipv4Address"] as KeyPart[] },
} as const satisfies Record<string, { id: number; key: readonly KeyPart[]; value?: readonly KeyPart[] }>;

export type SetName = keyof typeof sets;
export const setNames = Object.keys(sets) as SetName[];

/** Backends that refused a caller of a balanced route a moment ago: the rules put them in, and they go by themselves. */
export const refusing = {
  name: "refusing",
  id: 6,
  key: destination,
  remembered: { forMs: 5000, atMost: 16_384 },
} as const;

// 32-bit registers 8 to 23.
const r = 8;

/** Just before Docker's dstnat (-100), so that a caller's own route wins over a published port. */
const dnatPriority = -110;
/** After connection tracking (-200), before any NAT. */
const filterPriority = -160;
/** Before Docker's srcnat (100). */
const masqueradePriority = 90;

/**
 * Requests that make the table anew in one batch, whatever stood there:
 *
 *     table ip NAME {
 *       chain filter { type filter hook prerouting priority -160
 *         ct state new fib daddr type local ip saddr . meta l4proto . th dport @closed reject     (tcp reset, or ICMP for udp)
 *         tcp flags rst,ack tcp sequence 0 ct direction reply ct status dnat
 *             ct original ip saddr . ct original proto-dst @again update @refusing { ip saddr . th sport }
 *         (the same) @again drop
 *       }
 *       chain routes { type nat hook prerouting priority -110
 *         fib daddr type local dnat to ip saddr . meta l4proto . th dport map @fixed
 *         fib daddr type local dnat to ip saddr . meta l4proto . th dport . numgen random mod 64 map @spread
 *       }
 *       chain hairpin { type nat hook postrouting priority 90
 *         ct status dnat ip saddr . ip daddr @hairpin masquerade
 *       }
 *     }
 *
 * The `@again` rules are the kernel's own connect retry: a reset with sequence 0 answers a SYN (RFC 9293, 3.10.7.1), so
 * nothing was ever sent on that connection. Tracking has forgotten it by then; the caller, which never sees the reset,
 * sends its SYN again after a second, and that one is balanced like any new connection. By then the plane has read
 * `@refusing` and taken the backend out of `@spread`. (Rules that look there themselves were tried: nft 1.0.6 cannot list
 * a lookup of what a map gave, and ends.)
 */
export function makeTable(table: string): NetlinkRequest[] {
  return [
    addTable(table),
    deleteTable(table),
    addTable(table),
    ...setNames.map((name) => addSet({ table, name, ...sets[name] })),
    addSet({ table, ...refusing }),
    addChain({ table, chain: "filter", type: "filter", hook: "prerouting", priority: filterPriority }),
    addChain({ table, chain: "routes", type: "nat", hook: "prerouting", priority: dnatPriority }),
    addChain({ table, chain: "hairpin", type: "nat", hook: "postrouting", priority: masqueradePriority }),
    ...(["tcp", "udp"] as const).map((proto) =>
      addRule(table, "filter", [
        loadProtocol(r),
        matches(r, [ipProtocol[proto]]),
        ...hasConntrackBit("state", conntrackState.new),
        ...toThisHost,
        ...loadCaller,
        lookup("closed", sets.closed.id, r),
        reject(proto === "tcp" ? "reset" : "unreachable"),
      ]),
    ),
    // Two rules: what is no longer remembered, since the set is full, is dropped all the same.
    addRule(table, "filter", [
      ...refusedConnect,
      loadSource(r),
      loadSourcePort(r + 1),
      remember(refusing.name, refusing.id, r),
    ]),
    addRule(table, "filter", [...refusedConnect, drop()]),
    addRule(table, "routes", [...toThisHost, ...loadCaller, lookup("fixed", sets.fixed.id, r, r), dnat(r, r + 1)]),
    addRule(table, "routes", [
      ...toThisHost,
      ...loadCaller,
      loadRandom(r + 3, slotCount),
      lookup("spread", sets.spread.id, r, r),
      dnat(r, r + 1),
    ]),
    addRule(table, "hairpin", [
      ...hasConntrackBit("status", conntrackStatus.dstNat),
      loadSource(r),
      loadDestination(r + 1),
      lookup("hairpin", sets.hairpin.id, r),
      masquerade(),
    ]),
  ];
}

const toThisHost: NftExpression[] = [loadDestinationType(r), matches(r, hostU32(addressType.local))];
const loadCaller: NftExpression[] = [loadSource(r), loadProtocol(r + 1), loadDestinationPort(r + 2)];

/** A backend's refusal of a connect that may try another. */
const refusedConnect: NftExpression[] = [
  loadProtocol(r),
  matches(r, [ipProtocol.tcp]),
  loadPayload(r, "transport", 13, 1),
  mask(r, [0x14]),
  matches(r, [0x14]),
  loadPayload(r, "transport", 4, 4),
  matches(r, [0, 0, 0, 0]),
  loadConntrack(r, "direction"),
  matches(r, [1]),
  ...hasConntrackBit("status", conntrackStatus.dstNat),
  loadConntrack(r, "srcIp"),
  loadConntrack(r + 1, "protoDst"),
  lookup("again", sets.again.id, r),
];

function hasConntrackBit(key: "state" | "status", bit: number): NftExpression[] {
  return [loadConntrack(r, key), mask(r, hostU32(bit)), matches(r, hostU32(bit))];
}
