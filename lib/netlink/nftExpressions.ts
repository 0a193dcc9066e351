import type { MessageWriter } from "./messageWriter.ts";

/**
 * One expression of an nftables rule: its name in the kernel and what it writes. The registers are the 32-bit ones, 8 to
 * 23; a value wider than 4 bytes fills the following ones. (linux/netfilter/nf_tables.h; `nft --debug=netlink` shows the
 * same.)
 */
export interface NftExpression {
  name: string;
  write: (writer: MessageWriter) => void;
}

export const ipProtocol = { tcp: 6, udp: 17 } as const;
/** The bits of `ct status` and `ct state`, and RTN_LOCAL of `fib … type`. */
export const conntrackStatus = { seenReply: 0x2, assured: 0x4, dstNat: 0x20 } as const;
export const conntrackState = { new: 8 } as const;
export const addressType = { local: 2 } as const;

const listElement = 1;
const dataValue = 1;

/** `fib daddr type` */
export function loadDestinationType(register: number): NftExpression {
  return expression("fib", (w) => {
    w.u32(1, register);
    w.u32(2, 3); // NFT_FIB_RESULT_ADDRTYPE
    w.u32(3, 2); // NFTA_FIB_F_DADDR
  });
}

/** `meta l4proto`: one byte. */
export function loadProtocol(register: number): NftExpression {
  return expression("meta", (w) => {
    w.u32(2, 16);
    w.u32(1, register);
  });
}

/** Bytes of the packet, from the network or the transport header. */
export function loadPayload(
  register: number,
  header: "network" | "transport",
  offset: number,
  length: number,
): NftExpression {
  return expression("payload", (w) => {
    w.u32(1, register);
    w.u32(2, header === "network" ? 1 : 2);
    w.u32(3, offset);
    w.u32(4, length);
  });
}

export const loadSource = (register: number): NftExpression => loadPayload(register, "network", 12, 4);
export const loadDestination = (register: number): NftExpression => loadPayload(register, "network", 16, 4);
/** Of TCP and UDP. */
export const loadSourcePort = (register: number): NftExpression => loadPayload(register, "transport", 0, 2);
export const loadDestinationPort = (register: number): NftExpression => loadPayload(register, "transport", 2, 2);

const ctKeys = { state: 0, direction: 1, status: 2, protoDst: 12, srcIp: 19 } as const;

/** `ct KEY`, or `ct original KEY` for the connection's addresses. */
export function loadConntrack(register: number, key: keyof typeof ctKeys): NftExpression {
  return expression("ct", (w) => {
    w.u32(1, register);
    w.u32(2, ctKeys[key]);
    if (key === "protoDst" || key === "srcIp") w.u8(3, 0);
  });
}

/** `numgen random mod N`: a u32 in host byte order. */
export function loadRandom(register: number, modulus: number): NftExpression {
  return expression("numgen", (w) => {
    w.u32(1, register);
    w.u32(2, modulus);
    w.u32(3, 1);
    w.u32(4, 0);
  });
}

/** Goes on with the rule only when the register holds exactly these bytes. */
export function matches(register: number, bytes: ArrayLike<number>): NftExpression {
  return expression("cmp", (w) => {
    w.u32(1, register);
    w.u32(2, 0);
    w.nest(3, () => w.binary(dataValue, bytes));
  });
}

/** `register &= mask` */
export function mask(register: number, bytes: ArrayLike<number>): NftExpression {
  return expression("bitwise", (w) => {
    w.u32(1, register);
    w.u32(2, register);
    w.u32(3, bytes.length);
    w.nest(4, () => w.binary(dataValue, bytes));
    w.nest(5, () => w.binary(dataValue, new Uint8Array(bytes.length)));
  });
}

/** Goes on only when the set has the key that begins at `from`; of a map, its value is put at `to`. */
export function lookup(set: string, setId: number, from: number, to?: number): NftExpression {
  return expression("lookup", (w) => {
    w.string(1, set);
    w.u32(2, from);
    if (to !== undefined) w.u32(3, to);
    w.u32(4, setId);
  });
}

/** `update @SET { KEY }` for a set whose elements go by its timeout; does not go on when the set is full. */
export function remember(set: string, setId: number, from: number): NftExpression {
  return expression("dynset", (w) => {
    w.string(1, set);
    w.u32(2, setId);
    w.u32(3, 1); // NFT_DYNSET_OP_UPDATE
    w.u32(4, from);
  });
}

/** `dnat to ADDRESS:PORT`, both from registers. */
export function dnat(addressRegister: number, portRegister: number): NftExpression {
  return expression("nat", (w) => {
    w.u32(1, 1);
    w.u32(2, 2);
    w.u32(3, addressRegister);
    w.u32(5, portRegister);
  });
}

export function masquerade(): NftExpression {
  return expression("masq", () => undefined);
}

export function drop(): NftExpression {
  return expression("immediate", (w) => {
    w.u32(1, 0);
    w.nest(2, () => w.nest(2, () => w.u32(1, 0)));
  });
}

/** `reject with tcp reset`, or with ICMP port unreachable. */
export function reject(how: "reset" | "unreachable"): NftExpression {
  return expression("reject", (w) => {
    w.u32(1, how === "reset" ? 1 : 0);
    w.u8(2, how === "reset" ? 0 : 3);
  });
}

/** u32 in host byte order (little-endian), as `ct`, `fib` and `numgen` put it into a register. */
export function hostU32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}

/** Writes a rule's list of expressions as the value of the current attribute. */
export function writeExpressions(writer: MessageWriter, expressions: readonly NftExpression[]): void {
  for (const { name, write } of expressions)
    writer.nest(listElement, () => {
      writer.string(1, name);
      writer.nest(2, () => write(writer));
    });
}

function expression(name: string, write: (writer: MessageWriter) => void): NftExpression {
  return { name, write };
}
